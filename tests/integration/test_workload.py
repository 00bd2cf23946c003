"""`tpscope workload export`: what the scripts hold, and that they can be read by what runs them."""

import ast
import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from core.series import Selector
from storage.calls import insert_calls
from storage.workloads import read_workload
from tests.support.cli import one_line, run_here
from tests.support.stores import chdb_store
from tests.unit.storage.batches import START, at, batch

HOUR = timedelta(hours=1)
WINDOW = f"{START.isoformat()}..{(START + 2 * HOUR).isoformat()}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hours: one of bursts of prompts, one even, with half as many orders."""
    folder, rng = tmp_path_factory.mktemp("workload"), np.random.default_rng(1)
    bursts = [slot * 10 + place / 10 for slot in range(0, 360, 4) for place in range(40)]
    even = [3600 + 2 * number for number in range(1800)]
    rows = [
        {
            "ts": at(second), "service": "chat", "route": "/ask", "method": "POST", "kind": "llm", "tenant": "secret-tenant",
            "prompt_tokens": int(rng.integers(1, 1001)), "attributes": [("prompt", "private words")], "request_id": "r-secret",
        }
        for second in bursts
    ]  # fmt: skip
    rows += [
        {"ts": at(second), "service": "shop", "route": "/orders/{id}", "method": "PUT", "tenant": "b", "bytes_in": 200}
        for second in even
    ]
    with chdb_store(folder) as store:
        insert_calls(store, batch(rows))
    (folder / "tpscope.yaml").write_text(f"store: {{url: 'chdb://{folder / 'store'}'}}\n", encoding="utf-8")
    return folder


def test_the_workload_is_what_the_calls_were(folder: Path) -> None:
    with chdb_store(folder) as store:
        found = read_workload(store, START, START + 2 * HOUR, Selector())
        assert read_workload(store, START - HOUR, START, Selector()) is None
        even = read_workload(store, START + HOUR, START + 2 * HOUR, Selector.of(service="shop"))
    assert found is not None
    assert even is not None
    assert found.hours == (3600, 1800)
    assert found.burstiness > 1.0
    assert even.burstiness == 0.0
    assert {(one.route, one.share) for one in found.routes} == {("/ask", 2 / 3), ("/orders/{id}", 1 / 3)}
    known, tokens = found.routes[0].sizes["prompt_tokens"]
    assert known == 1.0
    assert tokens[50] == pytest.approx(500, rel=0.1)
    assert even.routes[0].sizes == {"bytes_in": (1.0, (200.0,) * 101)}
    assert set(even.think_s) == {2.0}


def test_scripts_can_be_read_and_hold_no_payload(folder: Path) -> None:
    for tool in ("locust", "k6"):
        out = folder / f"load.{'py' if tool == 'locust' else 'mjs'}"
        words = ("--to", tool, "--out", str(out), "--window", WINDOW)
        assert run_here(folder, "workload", "export", *words, "-c", "tpscope.yaml").returncode == 0
        text = out.read_text(encoding="utf-8")
        assert not re.search(r"secret|private", text)
        assert "@" not in re.sub(r"@task", "", text)
    profile = next(
        node.args[0]
        for node in ast.walk(ast.parse((folder / "load.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "loads"
    )
    held = json.loads(ast.literal_eval(profile))
    assert (held["hours"], [one["path"] for one in held["routes"]]) == ([3600, 1800], ["/ask", "/orders/1"])
    if node := shutil.which("node"):
        checked = subprocess.run([node, "--check", str(folder / "load.mjs")], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--out", "x.py", "--window", f"{START.isoformat()}..{at(60).isoformat()}"), "whole hours"),
        (("--out", "x.py", "--window", WINDOW, "--selector", 'service="x"'), "there is no call of service x"),
        (("--out", "no/x.py", "--window", WINDOW), "cannot be written"),
    ],
)
def test_bad_input_is_one_line(folder: Path, words: tuple[str, ...], says: str) -> None:
    assert says in one_line(run_here(folder, "workload", "export", "--to", "locust", *words, "-c", "tpscope.yaml"))
