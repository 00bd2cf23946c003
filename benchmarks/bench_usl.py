"""How right measured ceilings are: `python -m benchmarks.bench_usl [--systems N] [--data FOLDER]`.

Simulated systems whose law is known: load tests of 7 to 12 steps, production days whose load follows the hour, and such days
whose concurrency is known by Little's law only. Their noise is measured: the relative residuals of a production database (`usl`
of the shared data, TPSCOPE_SHARED_DATA or the sibling folder `shared/data`), shrunk to a tenth to a half; normal noise without.
Then systems whose load never varied, which have to be refused; and the published data sets of the R package `usl`.
"""

import argparse
import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analytics.ceiling import fit_ceiling
from analytics.usl import Floats, fit_usl
from core.capacity import Ceiling, CeilingState

_PUBLISHED_PEAK = 96.5
"""Of specsdm91, by the R package `usl`; the reference of coverage is the interval's own 90 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What was measured of a simulated system, and its true peak."""

    concurrency: Floats
    throughput: Floats
    measured: bool
    peak_tps: float
    peak_concurrency: float


def main() -> None:
    parser = argparse.ArgumentParser(description="coverage of the ceiling's intervals, and refusals")
    default = Path(os.environ.get("TPSCOPE_SHARED_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data")))
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--systems", type=int, default=100)
    options = parser.parse_args()
    folder = options.data / "usl"
    noise = measured_noise(folder) if folder.is_dir() else np.random.default_rng(1).normal(0.0, 0.2, 400)
    print(f"noise: {len(noise)} residuals, standard deviation {noise.std():.3f} before they are shrunk")
    for name, make in (("load_test", load_test), ("production_day", production_day), ("by_littles_law", by_littles_law)):
        coverage(name, make, noise, options.systems)
    refusals(noise, options.systems)
    if folder.is_dir():
        published(folder)


def coverage(name: str, make: Callable[[np.random.Generator, Floats], System], noise: Floats, systems: int) -> None:
    """How often the true peak lies in the 90 % interval; a refusal counts as a miss."""
    rng = np.random.default_rng(2026)
    by_tps, by_concurrency, refused, widths = 0, 0, 0, []
    for seed in range(systems):
        system = make(rng, noise)
        found = fit_ceiling(system.concurrency, system.throughput, measured=system.measured, seed=seed)
        if found.state is CeilingState.UNIDENTIFIED:
            refused += 1
            continue
        by_tps += found.peak_tps.lower <= system.peak_tps <= found.peak_tps.upper
        by_concurrency += found.peak_concurrency.lower <= system.peak_concurrency <= found.peak_concurrency.upper
        widths.append(found.peak_tps.upper / found.peak_tps.lower)
    print(f"{name}: {refused} of {systems} refused, interval's upper over lower end {np.median(widths):.2f} (median)")
    result(f"usl_{name}_peak_tps_within", 100.0 * by_tps / systems, "%", 90.0)
    result(f"usl_{name}_peak_concurrency_within", 100.0 * by_concurrency / systems, "%", 90.0)


def refusals(noise: Floats, systems: int) -> None:
    """How often a load that never varied is refused."""
    rng = np.random.default_rng(7)
    refused = 0
    for seed in range(systems):
        law, at = _law(rng)
        level = np.full(int(rng.integers(8, 400)), at * rng.uniform(0.1, 1.5))
        throughput = law(level) * _noise(rng, noise, len(level))
        concurrency = level * throughput / law(level) * _noise(rng, noise, len(level))
        refused += fit_ceiling(concurrency, throughput, seed=seed).state is CeilingState.UNIDENTIFIED
    result("usl_constant_load_refused", 100.0 * refused / systems, "%", 95.0)


def published(folder: Path) -> None:
    spec = fit_ceiling(*_columns(folder / "specsdm91.csv", "load", "throughput"), measured=False)
    ray = fit_ceiling(*_columns(folder / "raytracer.csv", "processors", "throughput"), measured=False)
    database = fit_ceiling(*_columns(folder / "oracledb.csv", "db_time", "txn_rate"))
    for name, found in (("specsdm91", spec), ("raytracer", ray), ("oracledb", database)):
        print(f"{name}: {found.state.value}; peak {_words(found, 'peak_tps')} at N = {_words(found, 'peak_concurrency')}")
        print(f"  gamma {_words(found, 'gamma')}, sigma {_words(found, 'sigma')}, kappa {_words(found, 'kappa')}")
    result("usl_specsdm91_peak_concurrency", spec.peak_concurrency.value, "users", _PUBLISHED_PEAK)
    result("usl_raytracer_finite_peak", float(np.isfinite(ray.peak_concurrency.value)), "1", 0.0)


def load_test(rng: np.random.Generator, noise: Floats) -> System:
    """Steps of users from 1 to 1 or 2 times the peak."""
    law, at = _law(rng)
    users = np.geomspace(1.0, at * rng.uniform(1.0, 2.0), int(rng.integers(7, 13)))
    return _system(users, law(users) * _noise(rng, noise, len(users)), law, at, measured=False)


def production_day(rng: np.random.Generator, noise: Floats) -> System:
    """Two days of 10-minute spans; connections in use are counted exactly."""
    law, at = _law(rng)
    level = _daily(rng, at)
    return _system(level, law(level) * _noise(rng, noise, len(level)), law, at, measured=False)


def by_littles_law(rng: np.random.Generator, noise: Floats) -> System:
    """The same with concurrency as throughput times latency, each with noise of its own."""
    law, at = _law(rng)
    level = _daily(rng, at)
    throughput = law(level) * _noise(rng, noise, len(level))
    latency = level / law(level) * _noise(rng, noise, len(level))
    return _system(throughput * latency, throughput, law, at, measured=True)


def measured_noise(folder: Path) -> Floats:
    """Relative residuals of the production database's throughput, in the order of time."""
    concurrency, throughput = _columns(folder / "oracledb.csv", "db_time", "txn_rate")
    expected = fit_usl(concurrency, throughput[None, :], np.ones(len(throughput))).throughput(concurrency)[0]
    relative = throughput / expected - 1.0
    return np.asarray(relative - relative.mean())


def result(name: str, value: float, unit: str, reference: float) -> None:
    print(f"RESULT name={name} value={value:.4g} unit={unit} reference={reference:.4g}")


def _law(rng: np.random.Generator) -> tuple[Callable[[Floats], Floats], float]:
    """A random law and where its peak lies."""
    gamma, sigma, at = np.exp(rng.uniform(0.0, 5.0)), np.exp(rng.uniform(-5.5, -2.3)), np.exp(rng.uniform(2.1, 5.0))
    kappa = (1.0 - sigma) / at**2
    return lambda n: np.asarray(gamma * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0))), float(at)


def _daily(rng: np.random.Generator, at: float) -> Floats:
    wave = 0.55 - 0.45 * np.cos(2.0 * np.pi * np.arange(288) / 144.0)
    return np.asarray(at * rng.uniform(0.8, 1.6) * wave * np.exp(0.05 * rng.standard_normal(288)))


def _noise(rng: np.random.Generator, noise: Floats, count: int) -> Floats:
    """Factors around 1, drawn from the measured residuals and shrunk."""
    return np.asarray(np.maximum(1.0 + rng.uniform(0.1, 0.5) * rng.choice(noise, count), 0.05))


def _system(n: Floats, x: Floats, law: Callable[[Floats], Floats], at: float, *, measured: bool) -> System:
    top = float(law(np.array([at]))[0])
    return System(concurrency=n, throughput=x, measured=measured, peak_tps=top, peak_concurrency=at)


def _columns(path: Path, first: str, second: str) -> tuple[Floats, Floats]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return np.array([float(row[first]) for row in rows]), np.array([float(row[second]) for row in rows])


def _words(found: Ceiling, name: str) -> str:
    one = getattr(found, name)
    return f"{one.value:.4g} [{one.lower:.4g}, {one.upper:.4g}]"


if __name__ == "__main__":
    main()
