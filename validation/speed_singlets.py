"""20 singlets of large molecules beside the eigensolver, as they come and exact.

    python validation/speed_singlets.py

Processor times on one thread, the least of a few runs, of the 20 lowest singlets of straight
alkanes and polyenes, balls of water at the density of the liquid and hexagonal flakes of graphene,
over that of `scipy.linalg.eigh` (LAPACK's dsyevd) on the same H: the states alone, from the
orbitals on, exact and as they come (above 20 000 configurations corrected to second order); and a
whole single point, from the coordinates to the intensities. Then the largest difference of an
energy from the exact one, and of an oscillator strength over the largest strength. Freed memory is
kept, as by the command line.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import time
from collections.abc import Callable

import numpy as np
import report
import scipy.linalg
from dispersion import alkane, water
from rich.progress import track
from speed import hamiltonian_of
from speed_excited import flake
from speed_sizes import polyene
from threadpoolctl import threadpool_limits

from mlsemi import singlepoint
from mlsemi.excited.excitations import excite
from mlsemi.excited.method import EXACT, TDA, Method
from mlsemi.machine.memory import keep_freed_memory
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.result import AtomicOrbitals
from mlsemi.sets.releases import DEFAULT
from mlsemi.units import HARTREE_EV
from mlsemi.walk import interaction_of

N_STATE = 20
RUNS = {"eigh": 5, "states": 3, "exact": 1, "whole": 2}
FAMILIES: dict[str, list[Structure]] = {
    "alkanes": [alkane(n) for n in (33, 66, 99)],
    "polyenes": [polyene(n) for n in (50, 100, 150)],
    "water": [water(n) for n in (33, 66, 100)],
    "flakes": [flake(n) for n in (4, 5, 6)],
}


def least(task: Callable[[], object], runs: int) -> float:
    """Least processor time, s."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        task()
        times.append(time.process_time() - start)
    return min(times)


def measure(structure: Structure, parameters: Parameters) -> dict[str, float]:
    """Times over the eigensolver's, and errors."""

    def whole(method: Method) -> object:
        return singlepoint(structure, parameters=parameters, singlets=N_STATE, method=method)

    found = singlepoint(structure, parameters=parameters, singlets=N_STATE).singlets
    point = singlepoint(structure, parameters=parameters, singlets=N_STATE, method=EXACT)
    exact, matrix = point.singlets, hamiltonian_of(point.state)
    assert found is not None
    assert exact is not None
    between = interaction_of(AtomicOrbitals(structure), parameters)
    tasks: dict[str, Callable[[], object]] = {
        "eigh": lambda: scipy.linalg.eigh(matrix, check_finite=False, driver="evd"),
        "states": lambda: excite(point.state, between, N_STATE),
        "exact": lambda: excite(point.state, between, N_STATE, method=EXACT),
        "whole": lambda: whole(TDA),
    }
    times = {name: least(task, RUNS[name]) for name, task in tasks.items()}
    strengths = exact.oscillator_strengths
    change = np.abs(found.oscillator_strengths - strengths).max() / strengths.max()
    return times | {
        "error_ev": float(np.abs(found.energies - exact.energies).max() * HARTREE_EV),
        "strength": float(change),
    }


def main() -> None:
    """Measure, write speed_singlets.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default=DEFAULT)
    parameters = Parameters.load(parser.parse_args().parameters)
    keep_freed_memory()
    rows, found = [], {}
    singlepoint(flake(2), parameters=parameters, singlets=N_STATE)  # compiles
    with threadpool_limits(1):
        for family, structures in FAMILIES.items():
            for structure in track(structures, family, transient=True):
                m = measure(structure, parameters)
                found[f"{family} {structure.n_atom}"] = m
                ratios = (f"{m[name] / m['eigh']:.0f}" for name in ("exact", "states", "whole"))
                errors = f"{1e3 * m['error_ev']:.2f}", f"{100 * m['strength']:.2f}"
                rows.append([family, structure.n_atom, *ratios, *errors])
    head = (
        *("family", "atoms", "exact : eigensolver", "as they come : eigensolver"),
        *("whole single point : eigensolver", "largest error / meV", "strengths / %"),
    )
    sections = [" ".join(__doc__.split("\n\n", 2)[2].split()), report.table(head, rows)]
    report.write("speed_singlets", "Singlets of large molecules", sections, {"systems": found})


if __name__ == "__main__":
    main()
