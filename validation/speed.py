"""Speed of a single point beside GFN2-xTB (tblite), in one process on one thread.

    python validation/speed.py --parameters organic-1

Medians of processor times of interleaved runs on new objects, after one run of each that compiles
or loads. mlsemi has no SCF: one prediction of H, one diagonalisation, charges, dipole, energy. The
Python interface of tblite always computes the gradient with the energy, so its one number stands in
both comparisons. The last column compares the ASE calculators of both, asked for energy and forces
of a slightly moved molecule as in dynamics; mlsemi needs no orbitals for these. The LAPACK share is
the time of `scipy.linalg.eigh` on the same H over that of the whole single point. Freed memory is
kept, as the command line does (`mlsemi.machine.memory`).
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
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator
from gfn2 import gfn2
from rich.progress import track
from tblite.ase import TBLite
from threadpoolctl import threadpool_limits

from mlsemi import MLSemi, singlepoint
from mlsemi.machine.memory import keep_freed_memory
from mlsemi.molecule.formats import read_structures
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.parameters import Parameters
from mlsemi.units import BOHR_ANGSTROM

EXAMPLES = report.HERE.parent / "docs" / "examples"
SECONDS = 20.0
"""Time spent on each molecule."""
MIN_RUNS, MAX_RUNS = 15, 400


def structures() -> dict[str, Structure]:
    """The four molecules."""
    return {
        "benzene": Structure.from_ase(molecule("C6H6")),
        "caffeine": read_structures(EXAMPLES / "caffeine.xyz")[0],
        "C60": Structure.from_ase(molecule("C60")),
        "beta-carotene": read_structures(EXAMPLES / "beta-carotene.xyz")[0],
    }


def medians(
    tasks: dict[str, Callable[[], object]], least: int = MIN_RUNS, seconds: float = SECONDS
) -> tuple[dict[str, float], int]:
    """Median processor time of each task, s, and the number of rounds of all tasks."""
    for task in tasks.values():
        task()
    times: dict[str, list[float]] = {name: [] for name in tasks}
    begin = time.process_time()
    rounds = 0
    while rounds < least or (time.process_time() - begin < seconds and rounds < MAX_RUNS):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            times[name].append(time.process_time() - start)
        rounds += 1
    return {name: float(np.median(values)) for name, values in times.items()}, rounds


def steps(structure: Structure, calculator: Calculator) -> Callable[[], object]:
    """Energy and forces of the next small displacement."""
    atoms = Atoms(structure.numbers, structure.positions * BOHR_ANGSTROM, calculator=calculator)
    rng = np.random.default_rng(0)

    def step() -> object:
        atoms.positions += 1e-3 * rng.normal(size=atoms.positions.shape)
        return atoms.get_potential_energy(), atoms.get_forces()

    return step


def hamiltonian_of(state: ElectronicState) -> np.ndarray:
    """H of its orbitals and levels, symmetric to the bit: what an eigensolver is timed on."""
    matrix = (state.orbitals * state.energies) @ state.orbitals.T
    out: np.ndarray = 0.5 * (matrix + matrix.T)
    return out


def measure(structure: Structure, parameters: Parameters) -> dict[str, float]:
    """All times of one molecule, s, with the shares and ratios."""
    hamiltonian = hamiltonian_of(singlepoint(structure, parameters=parameters).state)
    tasks: dict[str, Callable[[], object]] = {
        "mlsemi": lambda: singlepoint(structure, parameters=parameters),
        "mlsemi_forces": lambda: singlepoint(structure, parameters=parameters, forces=True),
        "tblite": lambda: gfn2(structure),
        "calculator": steps(structure, MLSemi(parameters)),
        "tblite_calculator": steps(structure, TBLite(method="GFN2-xTB", verbosity=0)),
        "eigh": lambda: scipy.linalg.eigh(hamiltonian, check_finite=False, driver="evd"),
    }
    seconds, rounds = medians(tasks)
    return seconds | {
        "atoms": structure.n_atom,
        "orbitals": structure.n_orbital,
        "rounds": rounds,
        "eigh_share": seconds["eigh"] / seconds["mlsemi"],
        "tblite_over_mlsemi": seconds["tblite"] / seconds["mlsemi"],
        "tblite_over_mlsemi_forces": seconds["tblite"] / seconds["mlsemi_forces"],
        "calculators": seconds["tblite_calculator"] / seconds["calculator"],
    }


def main() -> None:
    """Measure, write speed.md and speed.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default="organic-1")
    options = parser.parse_args()
    keep_freed_memory()
    parameters = Parameters.load(options.parameters)
    with threadpool_limits(1):
        results = {
            name: measure(structure, parameters)
            for name, structure in track(structures().items(), "molecules", transient=True)
        }
    head = ("molecule", "atoms", "orbitals", "mlsemi / ms", "LAPACK share", "mlsemi + forces / ms",
            "tblite / ms", "tblite : mlsemi", "with forces", "ASE calculators",
            "rounds")  # fmt: skip
    rows = [
        [
            name, r["atoms"], r["orbitals"], f"{1e3 * r['mlsemi']:.2f}", f"{r['eigh_share']:.0%}",
            f"{1e3 * r['mlsemi_forces']:.2f}", f"{1e3 * r['tblite']:.2f}",
            f"{r['tblite_over_mlsemi']:.1f}", f"{r['tblite_over_mlsemi_forces']:.1f}",
            f"{r['calculators']:.1f}", r["rounds"],
        ]
        for name, r in results.items()
    ]  # fmt: skip
    sections = [" ".join(__doc__.split("\n\n", 2)[2].split()), report.table(head, rows)]
    used = {"name": parameters.name, "checksum": parameters.checksum}
    report.write(
        "speed", "Speed of a single point", sections, {"parameters": used, "seconds": results}
    )


if __name__ == "__main__":
    main()
