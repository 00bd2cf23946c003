"""scripts/check_docs.py: which blocks of a page are run, and what counts as a broken promise."""

import sys
from pathlib import Path

import pytest

from scripts.check_docs import Block, MarkError, find_blocks, run_page


def page(*lines: str) -> str:
    return "\n".join(lines)


def test_only_marked_blocks_are_found() -> None:
    text = page("```console", "$ echo no", "```", "", "<!-- check: run -->", "", "```console", "$ echo yes", "yes", "```")
    assert find_blocks("a.md", text) == [Block(page="a.md", line=8, script="echo yes")]


def test_an_indented_example_of_a_mark_is_no_mark() -> None:
    assert find_blocks("a.md", page("    <!-- check: run -->", "    ```console", "    $ false", "    ```")) == []


def test_of_a_console_block_only_typed_lines_are_run() -> None:
    text = page("<!-- check: run -->", "```console", "$ echo one \\", "    two", "one two", "$ true", "```")
    assert find_blocks("a.md", text)[0].script == "echo one \\\ntwo\ntrue"


def test_of_a_bash_block_every_line_is_run() -> None:
    assert find_blocks("a.md", page("<!-- check: run -->", "```bash", "a=1", "echo $a", "```"))[0].script == "a=1\necho $a"


def test_options_change_the_limits() -> None:
    mark = '<!-- check: run timeout=120 exit=2 instead="tpscope demo --for 60s" -->'
    assert find_blocks("a.md", page(mark, "```bash", "make demo", "```")) == [
        Block(page="a.md", line=3, script="tpscope demo --for 60s", timeout_s=120.0, exit_status=2)
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["<!-- check: run -->", "prose"], "a.md:1: below the mark must stand"),
        (["<!-- check: run -->", "```yaml", "a: 1", "```"], "a.md:1: below the mark must stand"),
        (["<!-- check: run -->"], "a.md:1: below the mark must stand"),
        (["<!-- check: run -->", "```bash", "true"], "a.md:1: the block below the mark does not end"),
        (["<!-- check: run -->", "```console", "only output", "```"], "a.md:1: the block below the mark holds no command"),
        (["<!-- check: run tiemout=3 -->", "```bash", "true", "```"], "a.md:1: unknown option 'tiemout'"),
        (["<!-- check: run timeout=soon -->", "```bash", "true", "```"], "whole numbers, not 'soon'"),
    ],
)
def test_a_mark_that_cannot_be_understood_is_an_error(lines: list[str], message: str) -> None:
    with pytest.raises(MarkError, match=message):
        find_blocks("a.md", page(*lines))


def test_blocks_share_a_folder_and_failures_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    blocks = [
        Block(page="a.md", line=1, script="echo kept > file"),
        Block(page="a.md", line=2, script='test "$(cat file)" = kept'),
        Block(page="a.md", line=3, script="exit 3", exit_status=3),
        Block(page="a.md", line=4, script="echo said so; false; echo never"),
        Block(page="a.md", line=5, script="sleep 60", timeout_s=0.3),
    ]
    failures = run_page(blocks, folder)
    assert [failure.splitlines()[0] for failure in failures] == [
        "a.md:4  echo said so; false; echo never: exit status 1 instead of 0",
        "a.md:5  sleep 60: still running after 0.3 s",
    ]
    assert failures[0].splitlines()[1:] == ["      said so"]


def test_a_background_block_that_dies_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    ready = "http://127.0.0.1:1/"  # nobody listens on that port
    block = Block(page="a.md", line=1, script=f"{sys.executable} -c 'raise SystemExit(4)'", background=True, ready=ready)
    failures = run_page([block], folder)
    assert "ended with exit status 4 before http://127.0.0.1:1/ answered" in failures[0]
