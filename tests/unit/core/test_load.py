"""Settings from file and variables; each mistake is one line that names its place and does not print a secret."""

from datetime import timedelta
from pathlib import Path

import pytest

from core.config import AbsenceRule, AnomalyRule, ChangeRule, ForecastRule, ObjectiveRule, PipelineRule, Settings
from core.errors import ConfigError
from core.load import load_settings


def load(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "tpscope.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ or {})


def test_everything_runs_with_no_file_at_all() -> None:
    settings = load_settings(None, {})
    assert settings.store.url.startswith("chdb://")
    assert settings.kafka.brokers == ()
    assert [type(rule) for rule in settings.rules] == [
        AnomalyRule, AbsenceRule, ForecastRule, PipelineRule, AbsenceRule, ObjectiveRule, ChangeRule,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("kafkaa: {}", "tpscope.yaml:1: kafkaa", "did you mean 'kafka'?"),
        ("kafka: {brokerz: x}", "tpscope.yaml:1: kafka.brokerz", "did you mean 'brokers'?"),
        ("kafka: {brokers: [nohost]}", "kafka.brokers", "'nohost' is no host:port"),
        ("kafka: {batch_age: 5y}", "kafka.batch_age", "'5y' is no duration"),
        ("kafka: {batch_records: 0}", "kafka.batch_records", "greater than or equal to 1, not 0"),
        ("store: {url: 'postgres://x'}", "store.url", "must start with chdb://"),
        ("store: {url: 'clickhouse://u:pw@h/d'}", "store.url", "store.password"),
        ("store: {password: hunter2}", "store.password", "'env:NAME' or 'file:/path'"),
        ("store: {password: 'env:NOT_SET_ANYWHERE'}", "store.password", "NOT_SET_ANYWHERE is not set"),
        ("store: {password: 'file:/does/not/exist'}", "store.password", "/does/not/exist cannot be read"),
        ("time_zones: {acme: Mars/Olympus}", "time_zones", "'Mars/Olympus' is no IANA time zone"),
        ("calendars: [{country: DE, file: x.ics}]", "calendars.0", "one of file or country"),
        ("calendars: [{file: x.ics, subdivision: BY}]", "calendars.0", "needs country"),
        ("transactions: [{name: a b}]", "transactions.0.name", "should match pattern"),
        ("transactions: [{name: a, selector: {shop: x}}]", "transactions.0.selector", "'shop' is no dimension"),
        ("transactions: [{name: a, selector: {route: []}}]", "transactions.0.selector", "route names no value"),
        ("transactions: [{name: a, success: {statuses: [2yy]}}]", "success.statuses", "'2yy' is no status"),
        ("transactions: [{name: a, success: {statuses: [399-200]}}]", "success.statuses", "the lower first"),
        ("transactions: [{name: a, weight: 0}]", "transactions.0.weight", "greater than 0, not 0"),
        ("transactions: [{name: a}, {name: a}]", "tpscope.yaml", "the name 'a' is used twice"),
        ("reviews: {weekly: Someday}", "reviews.weekly", "'monday'"),
        ("reviews: {monthly: 31}", "reviews.monthly", "less than or equal to 28, not 31"),
        ("reviews: {time_zone: Mars/Olympus}", "reviews.time_zone", "'Mars/Olympus' is no IANA time zone"),
        ("reviews: {receivers: [x]}", "tpscope.yaml", "reviews: receiver 'x' is not configured"),
        ("time_zone: Mars/Olympus", "time_zone", "'Mars/Olympus' is no IANA time zone"),
        ("rules: [{kind: threshold, name: x, metric: tpss, above: 1}]", "rules.0", "'tpss' is no metric"),
        ("rules: [{kind: threshold, name: x, metric: tps}]", "rules.0", "one of above or below must be given"),
        ("rules: [{kind: anomaly, name: a}, {kind: anomaly, name: a}]", "tpscope.yaml", "'a' is used twice"),
        ("rules: [{kind: anomaly, name: a, receivers: [b]}]", "tpscope.yaml", "receiver 'b' is named"),
        ("receivers: [{name: a, url: 'ftp://x'}]", "receivers.0.url", "a secret must not stand here"),
        ("formats: {f: {fields: {status: s}}}", "formats.f.fields", "where `ts` comes from"),
        ("formats: {f: {fields: {ts: t, latency: l}}}", "formats.f.fields", "'latency' is no column"),
        (
            "formats: {f: {fields: {ts: {path: t, const: 1}}}}",
            "formats.f.fields.ts",
            "exactly one of path, paths, first, template or const",
        ),
        ("kafka: {format: mine}", "tpscope.yaml", "kafka.format 'mine'"),
        ("- a\n- b", "tpscope.yaml", "must hold a mapping"),
        ("a: [", "tpscope.yaml:1", "is no valid YAML"),
    ],
)
def test_a_mistake_is_one_line_that_names_its_place(tmp_path: Path, text: str, where: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert where in message
    assert problem in message
    assert "\n" not in message
    assert "hunter2" not in message


def test_an_absent_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"/no/such\.yaml: cannot be read"):
        load_settings(Path("/no/such.yaml"), {})


def test_variables_override_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "kafka: {topic: a}\nreceivers: [{name: r, url: 'http://127.0.0.1/x'}]",
        {"TPSCOPE_KAFKA__TOPIC": "b", "TPSCOPE_KAFKA__BROKERS": "h:1,i:2", "TPSCOPE_RECEIVERS__0__TIMEOUT": "9s"},
    )
    assert settings.kafka.topic == "b"
    assert settings.kafka.brokers == ("h:1", "i:2")
    assert settings.receivers[0].timeout == timedelta(seconds=9)


def test_a_bad_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"TPSCOPE_WEB__PORT: web\.port"):
        load(tmp_path, "", {"TPSCOPE_WEB__PORT": "eighty"})
    with pytest.raises(ConfigError, match="TPSCOPE_RECEIVERS__3__URL: there is no item '3'"):
        load(tmp_path, "receivers: []", {"TPSCOPE_RECEIVERS__3__URL": "x"})


def test_secrets_are_read_and_never_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "pw"
    secret.write_text("hunter2\n")
    monkeypatch.setenv("HOOK", "https://hooks.example.com/T0/secret-part")
    settings = load(
        tmp_path,
        f"store: {{url: 'clickhouse://u@h/d', password: 'file:{secret}'}}\nreceivers: [{{name: r, url: 'env:HOOK'}}]",
    )
    assert settings.store.password is not None
    assert settings.store.password.reveal() == "hunter2"
    assert settings.receivers[0].url is not None
    assert settings.receivers[0].url.reveal().endswith("secret-part")
    shown = repr(settings) + str(settings.model_dump(mode="json"))
    assert "hunter2" not in shown
    assert "secret-part" not in shown
