"""docker-compose.yml, as Debian's docker-compose 1.29 reads it, and the configuration that it mounts. No engine is needed."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from core.load import load_settings
from tests.support.data import REPOSITORY

COMPOSE = REPOSITORY / "docker-compose.yml"
SECRETS = "/run/secrets/"


def compose_config(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What `docker-compose config` says with only `environ` for its variables; skips the test where there is none."""
    program = shutil.which("docker-compose")
    if program is None:
        message = "docker-compose is not here: apt-get install docker-compose"
        if os.environ.get("TPSCOPE_REQUIRE_ENGINES"):
            pytest.fail(message)
        pytest.skip(message)
    return subprocess.run(
        [program, "--file", str(COMPOSE), "--env-file", str(REPOSITORY / ".env.example"), "config"],
        env={"PATH": os.environ["PATH"], **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The whole file after docker-compose has filled in variables, anchors and defaults."""
    result = compose_config({})
    assert result.returncode == 0, result.stderr
    assert result.stderr == "", "docker-compose warns"
    config = yaml.safe_load(result.stdout)
    assert isinstance(config, dict)
    return config


@pytest.fixture(scope="module")
def services(project: dict[str, Any]) -> dict[str, Any]:
    found = project["services"]
    assert set(found) == {"kafka", "clickhouse", "tpscope"}
    return dict(found)


def test_only_tpscope_is_published_and_only_to_this_machine(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"tpscope": ["127.0.0.1:8080:8080/tcp"]}
    assert not any(service.get("network_mode") for service in services.values())


def test_the_published_address_can_be_chosen() -> None:
    result = compose_config({"PUBLISH_ADDRESS": "127.0.0.2", "PUBLISH_PORT": "9000"})
    assert result.returncode == 0, result.stderr
    assert yaml.safe_load(result.stdout)["services"]["tpscope"]["ports"] == ["127.0.0.2:9000:8080/tcp"]


@pytest.mark.parametrize("name", ["kafka", "clickhouse", "tpscope"])
def test_each_service_is_watched_limited_and_unprivileged(services: dict[str, Any], name: str) -> None:
    service = services[name]
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries", "start_period"} <= service["healthcheck"].keys()
    assert re.fullmatch(r"\d+[mg]", str(service["mem_limit"]))
    assert float(service["cpus"]) > 0
    assert service["pids_limit"] > 0
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged", False)
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_own_services_run_as_a_user_with_nothing_writable_but_their_volumes(services: dict[str, Any]) -> None:
    for name in ("clickhouse", "tpscope"):
        user, _, group = services[name]["user"].partition(":")
        assert int(user) > 0, name
        assert int(group) > 0, name
        assert services[name]["read_only"] is True, name


def test_data_live_in_named_volumes(project: dict[str, Any], services: dict[str, Any]) -> None:
    writable = {
        volume.split(":")[0] for service in services.values() for volume in service["volumes"] if not volume.endswith(":ro")
    }
    assert writable == set(project["volumes"]) == {"kafka-data", "clickhouse-data", "tpscope-data"}


def test_mounted_files_are_in_the_repository(services: dict[str, Any]) -> None:
    mounted = [
        Path(volume.split(":")[0]) for service in services.values() for volume in service["volumes"] if volume.endswith(":ro")
    ]
    assert len(mounted) == 2
    assert all(path.is_file() for path in mounted)


def test_tpscope_waits_until_both_engines_are_healthy(services: dict[str, Any]) -> None:
    assert services["tpscope"]["depends_on"] == {
        "clickhouse": {"condition": "service_healthy"},
        "kafka": {"condition": "service_healthy"},
    }


def test_the_password_comes_from_a_file_and_stands_nowhere(project: dict[str, Any], services: dict[str, Any]) -> None:
    assert project["secrets"]["clickhouse_password"]["file"] == str(REPOSITORY / "deploy" / "secrets" / "clickhouse_password")
    for name, service in services.items():
        held = [variable for variable in service.get("environment", {}) if re.search("PASS|SECRET|TOKEN|KEY", variable.upper())]
        assert held == [], name
    assert project["secrets"]["web_token"]["file"] == str(REPOSITORY / "deploy" / "secrets" / "web_token")
    assert services["clickhouse"]["secrets"] == [{"source": "clickhouse_password"}]
    assert services["tpscope"]["secrets"] == [{"source": "clickhouse_password"}, {"source": "web_token"}]
    for line in COMPOSE.read_text("utf-8").splitlines():
        value = re.search(r"(?i)passw(?:or)?d\s*[:=]\s*(\S+)", line.split(" #")[0])
        assert value is None or "/run/secrets/" in value[1] or value[1].startswith(('"$$', '"$${')), line
    kept_out = ["deploy/secrets/clickhouse_password", "deploy/secrets/web_token", ".env"]
    ignored = subprocess.run(
        ["git", "check-ignore", *kept_out], cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=False
    )
    assert ignored.stdout.split() == kept_out


def test_images_are_pinned_to_a_version(services: dict[str, Any]) -> None:
    for name, service in services.items():
        assert re.search(r":\d+\.\d+\.\d+(\.\d+)?$", service["image"]), name
    bases = re.findall(r"^FROM (\S+)", (REPOSITORY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base) for base in bases)


def test_kafka_is_the_version_that_the_tests_use(services: dict[str, Any]) -> None:
    pom = ElementTree.parse(REPOSITORY / "tests" / "support" / "kafka" / "pom.xml").getroot()
    tested = [
        dependency.findtext("{*}version")
        for dependency in pom.iterfind(".//{*}dependency")
        if dependency.findtext("{*}groupId") == "org.apache.kafka"
    ]
    assert [f"apache/kafka:{version}" for version in tested] == [services["kafka"]["image"]]


def test_the_mounted_configuration_fits_the_services(services: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "clickhouse_password").write_text("from-the-file\n", "utf-8")
    (tmp_path / "web_token").write_text("0123456789abcdef" * 3, "utf-8")
    text = (REPOSITORY / "deploy" / "tpscope.yaml").read_text("utf-8")
    assert f"file:{SECRETS}clickhouse_password" in text
    here = tmp_path / "tpscope.yaml"
    here.write_text(text.replace(SECRETS, f"{tmp_path}/"), "utf-8")

    settings = load_settings(here, environ={})

    clickhouse = services["clickhouse"]["environment"]
    assert settings.store.url == f"clickhouse://{clickhouse['CLICKHOUSE_USER']}@clickhouse:9000/{clickhouse['CLICKHOUSE_DB']}"
    assert settings.store.password is not None
    assert settings.store.password.reveal() == "from-the-file"
    assert [f"PLAINTEXT://{broker}" for broker in settings.kafka.brokers] == [
        services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    ]
    assert (settings.web.host, settings.web.port, settings.web.login_needed) == ("0.0.0.0", 8080, True)
    assert settings.web.admin_token is not None
    mounts = [volume for volume in services["tpscope"]["volumes"] if volume.endswith(":ro")]
    assert [mount.split(":")[1] for mount in mounts] == ["/etc/tpscope/tpscope.yaml"]
    assert '"/etc/tpscope/tpscope.yaml"' in (REPOSITORY / "Dockerfile").read_text("utf-8")


def test_what_is_commented_out_in_the_configuration_is_valid_too(tmp_path: Path) -> None:
    lines = (REPOSITORY / "deploy" / "tpscope.yaml").read_text("utf-8").splitlines()
    start = lines.index("# receivers:")
    here = tmp_path / "examples.yaml"
    examples = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[start:])
    here.write_text(examples.replace("env:SLACK_WEBHOOK_URL", "http://127.0.0.1:1/hook"), "utf-8")

    settings = load_settings(here, environ={})

    assert [rule.name for rule in settings.rules] == ["anomaly", "slow"]
    assert [receiver.name for receiver in settings.receivers] == ["on-call"]


def test_clickhouse_snippet_holds_no_user() -> None:
    root = ElementTree.parse(REPOSITORY / "deploy" / "clickhouse" / "tpscope.xml").getroot()
    assert root.tag == "clickhouse"
    assert root.find(".//users") is None
    assert root.find(".//password") is None
