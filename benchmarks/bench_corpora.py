"""How good and how fast the detector of single series is: `python -m benchmarks.bench_corpora [--eval FOLDER] [--data FOLDER]`.

Three labelled corpora, judged by `tpscope detect` and scored from the files that it writes: NAB's, cloud monitoring, and
synthetic gateways of seeds that nothing was chosen on. The scorers and data are found beside the checkout (`shared/eval`,
`shared/data`) or by the options; without them only the speed is measured. The peers are reference detectors of the scorers'
own, each with the alarm cooldown that the scorer offers; ours has none but its own. References are what was aimed at.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.univariate import Cadence, Detector, detect, step_of
from tpscope.detecting import run_detect

_ROOT = Path(__file__).resolve().parents[1]
_SHARED = _ROOT.parent / "shared"
_SEEDS = range(10, 15)
_PEERS = ("windowed_gaussian", "ewma_z", "iforest_feat")
_DAYS = 14
_NAMES = {
    "nab_standard": "nab",
    "event_f1_cv": "f1_cv",
    "vus_pr": "vus_pr",
    "frozen_f1": "f1_at_1",
    "frozen_recall": "recall_at_1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Where its series and labels are, the scorer's further options, and what is aimed at."""

    name: str
    data: Path
    windows: Path
    options: tuple[str, ...] = ()
    cooldown: int = 60
    aims: tuple[tuple[str, float], ...] = ()


def main() -> None:
    parser = argparse.ArgumentParser(description="quality of detection on labelled series, and speed of a backfill")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("TPSCOPE_SHARED_DATA", _SHARED / "data")))
    parser.add_argument("--eval", type=Path, default=Path(os.environ.get("TPSCOPE_SHARED_EVAL", _SHARED / "eval")))
    parser.add_argument("--series", type=int, default=500, help="series of the backfill")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--only", help="this corpus alone: nab, cloud or gateways")
    options = parser.parse_args()
    speed(options.series)
    if not (options.eval / "detect_eval.py").exists():
        print(f"no scorers in {options.eval}: quality is not measured")
        return
    with tempfile.TemporaryDirectory() as folder:
        for corpus in corpora(options.data, options.eval, Path(folder), options.only):
            quality(corpus, options.eval, Path(folder), () if options.no_peers else _PEERS)


def speed(series: int) -> None:
    """Seconds of processor time for two weeks of minutes of a thousand series."""
    rng = np.random.default_rng(1)
    points = _DAYS * 1_440
    day = 1.5 + np.sin(2 * np.pi * np.arange(points) / 1_440)
    values = rng.poisson(rng.uniform(5, 500, series) * day[:, None]).astype(float)
    seconds = np.repeat(1_772_409_600 + 60 * np.arange(points)[:, None], series, axis=1)
    started = time.process_time()
    detect(Detector(series, Cadence.of(60.0)), values, seconds)
    result("detect_backfill_14_days_1000_series", 1_000 / series * (time.process_time() - started), "s", 90.0)


def corpora(data: Path, scorers: Path, folder: Path, only: str | None) -> Iterator[Corpus]:
    if only in (None, "nab"):
        yield Corpus(
            name="nab",
            data=data / "nab",
            windows=data / "nab" / "combined_windows.json",
            cooldown=100,
            aims=(("nab_standard", 70.0), ("vus_pr", 0.42)),
        )
    if only in (None, "cloud"):
        run(scorers / "labelled_to_windows.py", str(data / "cloud_monitoring"), str(folder / "cloud"))
        yield Corpus(
            name="cloud",
            data=folder / "cloud" / "data",
            windows=folder / "cloud" / "windows.json",
            aims=(("event_f1_cv", 0.62), ("nab_standard", 60.0), ("vus_pr", 0.60)),
        )
    if only in (None, "gateways"):
        windows = gateways(scorers, folder / "gateways")
        yield Corpus(
            name="gateways",
            data=windows.parent,
            windows=windows,
            options=("--probation-points", "10080"),
            aims=(("nab_standard", 75.0), ("frozen_f1", 0.75), ("frozen_recall", 0.7), ("false_per_series_day", 0.05)),
        )


def gateways(scorers: Path, folder: Path) -> Path:
    """The synthetic gateways of all seeds as one corpus; returns its labels."""
    windows: dict[str, Any] = {}
    for seed in _SEEDS:
        run(scorers / "gateway_synth.py", str(folder / f"seed{seed}"), "--seed", str(seed))
        own = json.loads((folder / f"seed{seed}" / "windows.json").read_text())
        windows |= {f"seed{seed}/data/{name}": spans for name, spans in own.items()}
    path = folder / "windows.json"
    path.write_text(json.dumps(windows))
    return path


def quality(corpus: Corpus, scorers: Path, folder: Path, peers: tuple[str, ...]) -> None:
    scores, said = folder / f"{corpus.name}-scores", folder / f"{corpus.name}.jsonl"
    run_detect(corpus.data, scores, 0, as_json=False)
    common = ("--data", str(corpus.data), "--windows", str(corpus.windows), "--out", str(said), *corpus.options)
    run(scorers / "detect_eval.py", *common, "--scores", str(scores))
    ours = json.loads(said.read_text().splitlines()[-1])
    for peer in peers:
        run(scorers / "detect_eval.py", *common, "--detector", f"baseline_detectors:{peer}", "--cooldown", str(corpus.cooldown))
    print(f"\n{corpus.name:<34}{'NAB':>7}{'F1':>7}{'F1 cv':>7}{'VUS-PR':>8}")
    for line in map(json.loads, said.read_text().splitlines()):
        name = "tpscope" if line["detector"] == str(scores) else line["detector"].split(":")[-1]
        cooled = f" (cooldown {line['cooldown']})" if line["cooldown"] else ""
        figures = f"{line['nab_standard']:>7.1f}{line['event_f1']:>7.3f}{line['event_f1_cv']:>7.3f}"
        print(f"{name + cooled:<34}{figures}{line.get('vus_pr', float('nan')):>8.3f}")
    at = f"F1 {ours['frozen_f1']:.3f}, recall {ours['frozen_recall']:.3f}"
    print(f"at a score of 1.0: {at}, false alarms per series and day {ours['false_per_series_day']:.3f}")
    for figure, aim in corpus.aims:
        result(f"detect_{corpus.name}_{_NAMES.get(figure, figure)}", ours[figure], "1", aim)
    first = next(iter(sorted(path for path in corpus.data.rglob("*.csv*") if path.is_file())))
    causal = run(scorers / "causal_check.py", str(first), "benchmarks.bench_corpora:judge", check=False)
    result(f"detect_{corpus.name}_causal", float(causal == 0), "1", 1.0)


def judge(times: npt.NDArray[np.datetime64], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The detector as the scorers call one."""
    seconds = times.astype("datetime64[s]").astype(np.int64)
    return detect(Detector(1, Cadence.of(step_of(seconds))), values[:, None], seconds[:, None]).score[:, 0]


def run(script: Path, *arguments: str, check: bool = True) -> int:
    """A scorer in a process of its own; what it prints goes to the terminal."""
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, str(script), *arguments], check=check, env=environment, cwd=_ROOT).returncode


def result(name: str, value: float, unit: str, reference: float) -> None:
    print(f"RESULT name={name} value={value:.6g} unit={unit} reference={reference:.6g}", flush=True)


if __name__ == "__main__":
    main()
