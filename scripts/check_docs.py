"""Runs the commands that README.md and docs/ promise, so that the promise is kept.

A block is run when this comment stands right above it:

    <!-- check: run -->
    <!-- check: run timeout=120 exit=1 -->                           other limits than 60 s and exit status 0
    <!-- check: run instead="tpscope demo --for 60s" -->             a bounded form of a command that never ends
    <!-- check: run background ready=http://127.0.0.1:8080/readyz -->   until the end of the page; the next block waits for it

Of a ```console block the lines after `$ ` are run, of a ```bash or ```sh block all lines. The blocks of one page run in order
in one copy of the checkout that is thrown away afterwards; each block is a shell of its own, without standard input.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_MARK = re.compile(r"^ {0,3}<!-- check: run\b(?P<options>.*?)-->\s*$")  # deeper is an indented example
_FENCE = re.compile(r"^\s*```(?P<language>\w*)\s*$")
_DEFAULT_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0


class MarkError(ValueError):
    """A mark that cannot be understood; the message names its page and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One marked block: what to run and what is expected of it."""

    page: str
    line: int
    script: str
    timeout_s: float = _DEFAULT_TIMEOUT_S
    exit_status: int = 0
    background: bool = False
    ready: str = ""

    def __str__(self) -> str:
        first = self.script.splitlines()[0]
        return f"{self.page}:{self.line}  {first}" + (" ..." if "\n" in self.script else "")


def find_blocks(page: str, text: str) -> list[Block]:
    """The marked blocks of a page, in order. Raises MarkError for a mark without a block, and for an unknown option."""
    lines = text.splitlines()
    return [_block(page, lines, at, match["options"]) for at, line in enumerate(lines) if (match := _MARK.match(line))]


def _block(page: str, lines: list[str], mark: int, options: str) -> Block:
    where = f"{page}:{mark + 1}"
    start = next((at for at in range(mark + 1, len(lines)) if lines[at].strip()), len(lines))
    fence = _FENCE.match(lines[start]) if start < len(lines) else None
    if fence is None or fence["language"] not in ("console", "bash", "sh"):
        raise MarkError(f"{where}: below the mark must stand a ```console, ```bash or ```sh block")
    end = next((at for at in range(start + 1, len(lines)) if lines[at].strip() == "```"), None)
    if end is None:
        raise MarkError(f"{where}: the block below the mark does not end")
    body = lines[start + 1 : end]
    given = _options(where, options)
    timeout, status = given.get("timeout", f"{_DEFAULT_TIMEOUT_S:g}"), given.get("exit", "0")
    if not timeout.isdigit() or not status.isdigit():
        raise MarkError(f"{where}: timeout (seconds) and exit must be whole numbers, not {timeout!r} and {status!r}")
    script = given.get("instead") or "\n".join(_prompted(body) if fence["language"] == "console" else body).strip()
    if not script:
        raise MarkError(f"{where}: the block below the mark holds no command (console lines start with `$ `)")
    return Block(
        page=page,
        line=start + 2,
        script=script,
        timeout_s=float(timeout),
        exit_status=int(status),
        background="background" in given,
        ready=given.get("ready", ""),
    )


def _options(where: str, text: str) -> dict[str, str]:
    given = dict(word.partition("=")[::2] for word in shlex.split(text))
    unknown = sorted(given.keys() - {"timeout", "exit", "instead", "background", "ready"})
    if unknown:
        raise MarkError(f"{where}: unknown option {unknown[0]!r}; known are timeout, exit, instead, background, ready")
    return given


def _prompted(body: list[str]) -> Iterator[str]:
    """The lines that a person types: those after a prompt, and those that such a line continues on by a backslash."""
    continued = False
    for line in body:
        typed = line.strip().removeprefix("$ ")
        if continued or line.strip().startswith("$ "):
            yield typed
            continued = typed.endswith("\\")


def run_page(blocks: list[Block], folder: Path) -> list[str]:
    """Run a page's blocks in `folder`, saying what it does; returns one line for each failure."""
    failures: list[str] = []
    running: list[tuple[Block, subprocess.Popen[bytes], Path]] = []
    try:
        for number, block in enumerate(blocks):
            started = time.monotonic()
            print(f"  {block}", flush=True)
            log = folder.parent / f"output-{number}"
            process = _start(block, folder, log)
            if block.background:
                running.append((block, process, log))
                problem = _wait_ready(block, process)
            else:
                problem = _wait(block, process)
            if problem:
                failures.append(f"{block}: {problem}\n{_tail(log)}")
            print(f"    {problem or 'as promised'} ({time.monotonic() - started:.1f} s)", flush=True)
    finally:
        for block, process, log in running:
            if process.poll() not in (None, 0):
                failures.append(f"{block}: ended by itself with exit status {process.returncode}\n{_tail(log)}")
            _stop(process)
    return failures


def _start(block: Block, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    with log.open("wb") as output:
        return subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", block.script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait(block: Block, process: subprocess.Popen[bytes]) -> str:
    try:
        status = process.wait(block.timeout_s)
    except subprocess.TimeoutExpired:
        return f"still running after {block.timeout_s:g} s"
    finally:
        _stop(process)
    return "" if status == block.exit_status else f"exit status {status} instead of {block.exit_status}"


def _wait_ready(block: Block, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + block.timeout_s
    while block.ready and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(block.ready, timeout=5):
                return ""
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                return f"ended with exit status {process.returncode} before {block.ready} answered"
            time.sleep(0.2)
    return f"{block.ready} did not answer within {block.timeout_s:g} s" if block.ready else ""


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the block's shell and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            continue


def _tail(log: Path) -> str:
    return "\n".join("      " + line for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])


def _copy_checkout(folder: Path) -> None:
    """Copy what git would see, with its times (make compares them), and lend the virtual environment."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    ).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the marked commands of README.md and docs/.")
    parser.add_argument("pages", nargs="*", help="only these pages, by their path from the top of the repository")
    chosen = parser.parse_args().pages
    pages = chosen or ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))]
    failures: list[str] = []
    count = 0
    for page in pages:
        if not chosen and not (ROOT / page).exists():
            continue
        try:
            blocks = find_blocks(page, (ROOT / page).read_text(encoding="utf-8"))
        except (MarkError, OSError) as error:
            failures.append(str(error))
            continue
        if blocks:
            print(f"{page}: {len(blocks)} marked", flush=True)
            with tempfile.TemporaryDirectory(prefix="tpscope-docs-") as scratch:
                folder = Path(scratch) / "tpscope"
                folder.mkdir()
                _copy_checkout(folder)
                failures += run_page(blocks, folder)
            count += len(blocks)
    for failure in failures:
        print(f"check-docs: {failure}", file=sys.stderr)
    print(f"check-docs: {count} blocks run, {len(failures)} not as promised.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
