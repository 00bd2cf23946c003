"""The repository as a whole: what is packaged, what is pinned, and what must stand in no tracked file."""

import fnmatch
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.data import REPOSITORY
from tests.support.scheduling import LONGEST, TOGETHER, group_of

NOT_PACKAGED = {"tests", "benchmarks", "scripts"}

# Written in parts, so that this file does not hold what it looks for.
PACKAGE_HOSTS = [
    "pypi" + r"\.org",
    "python" + r"hosted\.org",
    "npm" + r"js\.(org|com)",
    "repo1" + r"\.maven|repo" + r"\.maven\.apache",
    "(deb|security|ftp[.a-z]*|snapshot)" + r"\.debian\.org",
    "(static|index)?" + r"\.?crates" + r"\.io",
    "proxy" + r"\.golang\.org",
]
MACHINE_PATHS = [r"(?<![\w./-])/" + folder for folder in ("work/", "root/", "opt/wheels", "tmp/tmp", "home/[a-z]+/")]


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Files that git knows, relative to the top."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True)
    return [Path(name) for name in listed.stdout.split("\0") if name and (REPOSITORY / name).is_file()]


@pytest.fixture(scope="module")
def rooms(tracked: list[Path]) -> list[str]:
    """Top-level packages that belong to the distribution."""
    found = {path.parts[0] for path in tracked if path.name == "__init__.py"} - NOT_PACKAGED
    assert found >= {"core", "storage", "ingest", "analytics", "alerts", "render", "dashboards", "tpscope"}
    return sorted(found)


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    """Canonical name of every pinned package, with its version."""
    lines = [line for line in (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    matches = [re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)", line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches, strict=True) if not match]
    found = {str(canonicalize_name(match[1])): match[2] for match in matches if match}
    assert len(found) == len(lines), "a package is pinned twice"
    return found


def test_the_installed_distribution_is_the_one_described() -> None:
    installed = metadata.metadata("tpscope")
    assert installed["Name"] == "tpscope"
    assert installed["License-Expression"] == "Apache-2.0"
    assert installed["Requires-Python"] == ">=3.11"
    scripts = {entry.name: entry.value for entry in metadata.distribution("tpscope").entry_points}
    assert scripts == {"tpscope": "tpscope.cli:main"}


def test_every_room_is_packaged_typed_and_under_the_import_contract(pyproject: dict[str, Any], rooms: list[str]) -> None:
    packaged = pyproject["tool"]["setuptools"]["packages"]["find"]["include"]
    assert sorted(packaged) == [f"{room}*" for room in rooms]
    assert sorted(pyproject["tool"]["mypy"]["packages"]) == rooms
    assert sorted(pyproject["tool"]["importlinter"]["root_packages"]) == rooms
    layers = pyproject["tool"]["importlinter"]["contracts"][0]["layers"]
    assert sorted(room.strip() for layer in layers for room in layer.split("|")) == rooms


def test_every_folder_of_a_room_is_a_package_or_declared_data(
    pyproject: dict[str, Any], tracked: list[Path], rooms: list[str]
) -> None:
    data = pyproject["tool"]["setuptools"]["package-data"]
    left_out = []
    for path in (path for path in tracked if path.parts[0] in rooms):
        if path.suffix == ".py":
            packaged = (REPOSITORY / path.parent / "__init__.py").is_file()
        else:
            inside = path.relative_to(path.parts[0]).as_posix()
            packaged = any(fnmatch.fnmatch(inside, pattern) for pattern in data.get(path.parts[0], []))
        if not packaged:
            left_out.append(path.as_posix())
    assert left_out == [], "a wheel would lack these"


def test_the_image_copies_every_room(rooms: list[str]) -> None:
    copied = re.findall(r"^COPY (\w+) \w+$", (REPOSITORY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert sorted(copied) == rooms
    let_in = re.findall(r"^!(\w+)$", (REPOSITORY / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    assert sorted(set(let_in) - {"LICENSE"}) == rooms


def test_every_direct_dependency_is_pinned_within_its_range(pyproject: dict[str, Any], pins: dict[str, str]) -> None:
    project = pyproject["project"]
    extras = project["optional-dependencies"].values()
    direct = [Requirement(line) for line in (*project["dependencies"], *(line for extra in extras for line in extra))]
    assert len(direct) > 20
    for requirement in direct:
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not pinned; run `make constraints`"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement} does not allow {version}"


def test_everything_that_is_needed_indirectly_is_pinned(pyproject: dict[str, Any], pins: dict[str, str]) -> None:
    extras = set(pyproject["project"]["optional-dependencies"])
    needed = _needed("tpscope", extras)
    assert len(needed) > 60
    assert sorted(needed - pins.keys()) == []


def _needed(root: str, extras: set[str]) -> set[str]:
    """Canonical names of what `root` with `extras` needs on this Python, found in the installed packages' metadata."""
    found: set[str] = set()
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting: list[tuple[str, frozenset[str]]] = [(root, frozenset(extras))]
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        for requirement in _requirements(name, wanted):
            dependency = canonicalize_name(requirement.name)
            if dependency != root:
                found.add(dependency)
            waiting.append((dependency, frozenset(requirement.extras)))
    return found


def _requirements(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    for line in metadata.requires(name) or []:
        requirement = Requirement(line)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            yield requirement


def test_no_pin_names_a_place(pins: dict[str, str]) -> None:
    text = (REPOSITORY / "constraints.txt").read_text("utf-8")
    assert "tpscope" not in pins
    assert not re.search(r"^-|://|@|--hash|file:", text, re.MULTILINE)


@pytest.mark.parametrize("pattern", [*PACKAGE_HOSTS, *MACHINE_PATHS])
def test_no_tracked_file_names_a_registry_or_a_machine(tracked: list[Path], pattern: str) -> None:
    searched = re.compile(pattern, re.IGNORECASE)
    hits = [
        f"{path}:{number}: {line.strip()[:120]}"
        for path in tracked
        if (text := _text(REPOSITORY / path))
        for number, line in enumerate(text.splitlines(), 1)
        if searched.search(line)
    ]
    assert hits == []


def _text(path: Path) -> str:
    """The file's text; empty when it is binary."""
    content = path.read_bytes()
    return "" if b"\0" in content[:8192] else content.decode("utf-8", errors="replace")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("pip install --index-url https://" + "pypi" + ".org/simple", True),
        ("https://files." + "pythonhosted" + ".org/packages/x.whl", True),
        ("deb http://" + "deb" + ".debian.org/debian bookworm main", True),
        ('path = "/' + 'work/main/core"', True),
        ("see /" + "root/.cache", True),
        ("COPY . /app/" + "work/", False),
        ("http://www.apache.org/licenses/LICENSE-2.0", False),
        ("file:/run/secrets/clickhouse_password and /var/lib/tpscope", False),
        ("http://maven.apache.org/POM/4.0.0", False),
    ],
)
def test_the_search_finds_what_it_should(line: str, found: bool) -> None:
    assert any(re.search(pattern, line, re.IGNORECASE) for pattern in [*PACKAGE_HOSTS, *MACHINE_PATHS]) is found


def test_the_licence_is_the_whole_one() -> None:
    text = (REPOSITORY / "LICENSE").read_text("utf-8")
    assert "Apache License" in text.splitlines()[1]
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text) > 11_000


def test_files_that_are_scheduled_by_name_are_there() -> None:
    names = [name for names in TOGETHER.values() for name in names]
    assert [name for name in (*names, *LONGEST) if name not in TOGETHER and not (REPOSITORY / "tests" / name).is_file()] == []
    assert {group_of(f"tests/{name}::test_it[a::b]") for name in TOGETHER["kafka"]} == {"kafka"}
    assert group_of("tests/unit/test_repository.py::test_it") == "unit/test_repository.py"
