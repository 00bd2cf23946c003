"""Whether an exported workload repeats what was seen: `python -m benchmarks.bench_workload [--locust FILE] [--k6 FILE]`.

A store is filled with a few hours of bursty calls of known mix and sizes; the exported scripts are run, one after the other,
against a server of this machine that notes when calls come and how large they are, with the hours made shorter (`--speed`).
Compared are the calls of each hour and, by Kolmogorov and Smirnov, the sizes of prompts and bodies. locust and k6 are no
dependencies of tpscope: the benchmark takes those that are found, or that are named, and says which one is not there.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import ks_2samp

from core.config import StoreSettings
from core.record import CALL_SCHEMA
from storage.calls import insert_calls
from storage.migrate import migrate
from storage.open import open_store

_START = datetime(2026, 3, 2, 9, tzinfo=UTC)
_HOURS = (3000, 5400, 4200)
_SEED = 20261128

Seen = list[tuple[float, str, int]]
"""When a call came, in seconds; what its size is of, and the size."""


def main() -> None:
    parser = argparse.ArgumentParser(description="whether an exported workload repeats what was seen")
    parser.add_argument("--locust", default=shutil.which("locust"), help="the locust to run")
    parser.add_argument("--k6", default=shutil.which("k6"), help="the k6 to run")
    parser.add_argument("--speed", type=float, default=60.0, help="60: an hour takes a minute")
    options = parser.parse_args()
    calls = made_up()
    for tool, binary in (("locust", options.locust), ("k6", options.k6)):
        if binary is None:
            print(f"skipped: there is no {tool} here; install it, or name one: --{tool} FILE")
            continue
        with tempfile.TemporaryDirectory() as folder:
            script = exported(Path(folder), calls, tool)
            seen = run(tool, binary, script, options.speed)
        tell(tool, calls, seen, options.speed)


def made_up() -> pa.Table:
    """Calls of a shop and of a chat; rates vary from slice to slice, sizes are log-normal with two humps."""
    rng, times = np.random.default_rng(_SEED), []
    for hour, count in enumerate(_HOURS):
        rates = rng.gamma(1 / 0.4**2, 1.0, 360)
        slices = rng.choice(360, count, p=rates / rates.sum())
        times.append(hour * 3600 + np.sort(slices + rng.random(count)) * 10.0)
    at = np.minimum(np.concatenate(times), len(_HOURS) * 3600 - 0.001)
    count = len(at)
    chat = rng.random(count) < 0.45
    tokens = np.exp(np.where(rng.random(count) < 0.3, rng.normal(7.5, 0.4, count), rng.normal(5.0, 0.6, count)))
    body = np.exp(rng.normal(6.0, 1.0, count))
    rows = [
        {
            "ts": _START + timedelta(seconds=float(second)),
            "service": "chat" if prompt else "shop",
            "route": "/v1/chat" if prompt else "/orders/{id}",
            "method": "POST",
            "kind": "llm" if prompt else "api",
            "tenant": f"t{number % 20}",
            "status": 200,
            "prompt_tokens": int(words) + 1 if prompt else None,
            "completion_tokens": 50 if prompt else None,
            "bytes_in": int(size) + 1 if not prompt else None,
            "offset": number,
        }
        for number, (second, prompt, words, size) in enumerate(zip(at, chat, tokens, body, strict=True))
    ]
    unknown: dict[str, Any] = {field.name: None if field.nullable else "" for field in CALL_SCHEMA}
    unknown |= {"prompt_hash": 0, "attributes": [], "topic": "import:workload", "partition": 0, "ingested_at": _START}
    return pa.Table.from_pylist([{**unknown, **row} for row in rows], schema=CALL_SCHEMA)


def exported(folder: Path, calls: pa.Table, tool: str) -> Path:
    """The script as the command writes it."""
    url, script = f"chdb://{folder / 'store'}", "load.js" if tool == "k6" else "load.py"
    store = open_store(StoreSettings(url=url), owner=True)
    migrate(store)
    insert_calls(store, calls)
    store.close()
    window = f"{_START.isoformat()}..{(_START + timedelta(hours=len(_HOURS))).isoformat()}"
    words = ["workload", "export", "--to", tool, "--out", script, "--window", window, "--store", url]
    subprocess.run(
        [sys.executable, "-m", "tpscope", *words], cwd=folder, check=True, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )
    return folder / script


def run(tool: str, binary: str, script: Path, speed: float) -> Seen:
    """What the server saw."""
    seen: Seen = []

    class Note(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            prompt = self.path == "/v1/chat"
            size = len(json.loads(content)["prompt"].split()) if prompt else len(content)
            seen.append((time.monotonic(), "prompt_tokens" if prompt else "bytes_in", size))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """A line for every call would cost more than the calls."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Note)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    command = [binary, "-f", str(script), "--headless", "-u", "60", "-r", "60", "-H", address, "--only-summary"]
    if tool == "k6":
        command = [binary, "run", "--quiet", "-e", f"BASE_URL={address}", "-e", f"SPEED={speed}", "-e", "VUS=60", str(script)]
    environment = {**os.environ, "TPSCOPE_SPEED": str(speed), "K6_NO_USAGE_REPORT": "true"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    server.shutdown()
    print(f"{tool} ended with {done.returncode}")
    if not seen:
        sys.exit(done.stderr)
    return seen


def tell(tool: str, calls: pa.Table, seen: Seen, speed: float) -> None:
    first = min(at for at, _, _ in seen)
    hours = np.floor((np.array([at for at, _, _ in seen]) - first) * speed / 3600.0).astype(int)
    found = np.bincount(np.minimum(hours, len(_HOURS) - 1), minlength=len(_HOURS))
    for hour, (was, now) in enumerate(zip(_HOURS, found.tolist(), strict=True)):
        print(f"hour {hour + 1}: {was:,} calls were seen, {now:,} came again ({now / was - 1:+.1%})")
    worst = max(abs(now / was - 1) for was, now in zip(_HOURS, found.tolist(), strict=True))
    print(f"RESULT name=workload_{tool}_hour_off value={worst:.4f} unit=share reference=0.05")
    for name in ("prompt_tokens", "bytes_in"):
        was = calls.column(name).drop_null().to_numpy()
        now = [size for _, of, size in seen if of == name]
        apart = ks_2samp(was, now).statistic
        print(f"{name}: {len(was):,} seen, {len(now):,} came again, distance {apart:.4f}")
        print(f"RESULT name=workload_{tool}_{name}_distance value={apart:.4f} unit=share reference=0.05")


if __name__ == "__main__":
    main()
