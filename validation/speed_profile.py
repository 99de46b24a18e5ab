"""Where the time of an energy with forces goes, beside what the arithmetic alone would take.

    python validation/speed_profile.py

Shares of the steps of one single point with orbitals, charges and forces on one thread (medians of
`Result.timings`, as processor time). Beside them the two limits that no program of this kind can go
below: LAPACK's eigensolver on the same H, and BLAS on matrices of the sizes of the largest learned
map, which reads the couplings of all pairs off their invariants, forward and back.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import time
from collections.abc import Callable

import numpy as np
import report
import scipy.linalg
from dispersion import alkane, water
from rich.progress import track
from speed import hamiltonian_of, structures
from speed_excited import flake
from threadpoolctl import threadpool_limits

from mlsemi import singlepoint
from mlsemi.machine.memory import keep_freed_memory
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.sets.releases import DEFAULT

STEPS = ("pairs", "hamiltonian", "electronic", "forces", "dispersion")
LEAST, MOST, SECONDS = 3, 60, 6.0


def systems() -> dict[str, Structure]:
    """The four molecules of `speed.py`, and three large ones."""
    return structures() | {"C99H200": alkane(99), "C216H36": flake(6), "333 waters": water(333)}


def median(task: Callable[[], float]) -> float:
    """Median of what a task returns, over some seconds."""
    found: list[float] = []
    begin = time.perf_counter()
    while len(found) < LEAST or (time.perf_counter() - begin < SECONDS and len(found) < MOST):
        found.append(task())
    return float(np.median(found))


def timed(task: Callable[[], object]) -> Callable[[], float]:
    """Processor time of a task, s."""

    def run() -> float:
        start = time.perf_counter()
        task()
        return time.perf_counter() - start

    return run


def measure(structure: Structure, parameters: Parameters) -> dict[str, float]:
    """Median times of the steps and of the limits, s."""
    runs: list[dict[str, float]] = []

    def once() -> float:
        runs.append(singlepoint(structure, parameters=parameters, forces=True).timings)
        return runs[-1]["total"]

    whole = median(once)
    out = {step: float(np.median([run[step] for run in runs])) for step in STEPS}
    matrix = hamiltonian_of(singlepoint(structure, parameters=parameters).state)
    form, weights = parameters.model.form, parameters.model.weights
    pairs = PairList.of([structure], form.elements, form.cutoff).first.size
    inner, outer = weights["bond.in"], weights["bond.out"]
    x, hidden = np.ones((pairs, len(inner))), np.ones((pairs, len(outer)))
    y = np.ones((pairs, outer.shape[1]))

    def products() -> None:
        for a, b in ((x, inner), (hidden, outer), (y, outer.T), (hidden, inner.T)):
            a @ b

    eigh = median(timed(lambda: scipy.linalg.eigh(matrix, check_finite=False, driver="evd")))
    return out | {"total": whole, "eigh": eigh, "products": median(timed(products))}


def main() -> None:
    """Measure, write speed_profile.md and .json."""
    keep_freed_memory()
    time.perf_counter = time.process_time  # also the clock of the steps: other work must not count
    parameters = Parameters.load(DEFAULT)
    with threadpool_limits(1):
        found = {
            name: measure(structure, parameters)
            for name, structure in track(systems().items(), "profiles", transient=True)
        }
    rows = []
    for name, one in found.items():
        shares = [one[step] / one["total"] for step in STEPS]
        shares += [1.0 - sum(shares), one["eigh"] / one["total"], one["products"] / one["total"]]
        rows.append([name, systems()[name].n_atom, *(f"{100.0 * x:.0f}" for x in shares)])
    head = ("system", "atoms", *STEPS, "the rest", "LAPACK alone", "BLAS alone")
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        "In percent of the whole:",
        report.table(head, rows),
    ]
    report.write("speed_profile", "Where the time goes", sections, {"seconds": found})


if __name__ == "__main__":
    main()
