"""How the time of each step grows with the size of a system, beside the eigensolver and GFN2-xTB.

    python validation/speed_sizes.py

Processor times on one thread, the least of a few runs, of straight alkanes and polyenes, balls of
water at the density of the liquid and hexagonal flakes of graphene. The exponent is the slope of
ln(time) over ln(atoms) between the two largest sizes. The eigensolver is
`scipy.linalg.eigh` (LAPACK's dsyevd) on the same H, the least that a ground state with orbitals can
take. GFN2-xTB (tblite) computes energy and gradient. Freed memory is kept, as by the
command line.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import time
from collections.abc import Callable, Mapping

import numpy as np
import report
import scipy.linalg
from ase import Atoms
from dispersion import alkane, water
from gfn2 import gfn2
from panels import Panel, figure_of
from rich.progress import track
from speed import hamiltonian_of
from speed_excited import flake
from threadpoolctl import threadpool_limits

from mlsemi import singlepoint
from mlsemi.calculators.potential import potential_energy
from mlsemi.machine.memory import keep_freed_memory
from mlsemi.molecule.dispersion import dispersion_of
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.sets.releases import DEFAULT

SECONDS = 1.5
"""Processor time spent on one step of one system, at least one run."""
LARGEST_ORBITALS, LARGEST_TBLITE = 1200, 240
"""Atoms above which orbitals, and the peer, are left out."""
STEPS = {
    "potential": "energy and forces, no orbitals, no D4",
    "dispersion": "D4 with forces",
    "orbitals": "orbitals, charges, energy",
    "forces": "the same with forces",
    "eigh": "eigensolver on the same H",
    "tblite": "GFN2-xTB, energy and forces",
}


SHORT = dict(zip(STEPS, ("step", "D4", "orbitals", "and forces", "LAPACK", "GFN2"), strict=True))


def polyene(n: int) -> Structure:
    """All-trans C_n H_n+2."""
    atoms = [("C", (1.22 * i, 0.35 * (-1) ** i, 0.0)) for i in range(n)]
    atoms += [("H", (1.22 * i, 1.43 * (-1) ** i, 0.0)) for i in range(n)]
    end = 1.22 * (n - 1)
    atoms += [("H", (-0.93, -0.2, 0.0)), ("H", (end + 0.93, -0.2 * (-1) ** (n - 1), 0.0))]
    symbols, positions = zip(*atoms, strict=True)
    return Structure.from_ase(Atoms(symbols, positions))


FAMILIES: dict[str, list[Structure]] = {
    "alkanes": [alkane(n) for n in (33, 66, 133, 266, 533, 1600)],
    "polyenes": [polyene(n) for n in (50, 100, 200, 400, 1600)],
    "water": [water(n) for n in (33, 66, 133, 333, 666)],
    "flakes": [flake(n) for n in (3, 4, 6, 9)],
}


def least(task: Callable[[], object]) -> float:
    """Least processor time, s."""
    best, spent = np.inf, 0.0
    while spent < SECONDS:
        start = time.process_time()
        task()
        taken = time.process_time() - start
        best, spent = min(best, taken), spent + taken
    return best


def measure(structure: Structure, parameters: Parameters) -> dict[str, float]:
    """Times of all steps that are not left out, s."""
    functional = parameters.functional
    tasks: dict[str, Callable[[], object]] = {
        "potential": lambda: potential_energy(structure, parameters, dispersion=False),
        "dispersion": lambda: dispersion_of(structure, functional, with_gradient=True),
    }
    if structure.n_atom <= LARGEST_ORBITALS:
        matrix = hamiltonian_of(singlepoint(structure, parameters=parameters).state)
        tasks |= {
            "orbitals": lambda: singlepoint(structure, parameters=parameters),
            "forces": lambda: singlepoint(structure, parameters=parameters, forces=True),
            "eigh": lambda: scipy.linalg.eigh(matrix, check_finite=False, driver="evd"),
        }
    if structure.n_atom <= LARGEST_TBLITE:
        tasks["tblite"] = lambda: gfn2(structure)
    return {name: least(task) for name, task in tasks.items()}


def exponent(atoms: list[int], seconds: list[float]) -> float:
    """Slope in the logarithms between the two largest sizes."""
    return float(np.log(seconds[-1] / seconds[-2]) / np.log(atoms[-1] / atoms[-2]))


def picture(found: Mapping[str, Mapping[str, tuple[list[int], list[float]]]]) -> None:
    """Times over sizes, a panel a family."""
    panels = [
        Panel(
            "atoms",
            "processor time / s",
            {SHORT[name]: (*curve, "o-") for name, curve in steps.items()},
            title=family,
        )
        for family, steps in found.items()
    ]
    figure_of(panels).savefig(report.HERE / "speed_sizes.png", dpi=130)


def main() -> None:
    """Measure, write speed_sizes.md, .json and .png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default=DEFAULT)
    parameters = Parameters.load(parser.parse_args().parameters)
    keep_freed_memory()
    found: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
    rows, sizes = [], []
    singlepoint(FAMILIES["water"][0], parameters=parameters, forces=True)  # compiles
    with threadpool_limits(1):
        for family, structures in FAMILIES.items():
            steps = found.setdefault(family, {})
            for structure in track(structures, family, transient=True):
                times = measure(structure, parameters)
                for name, seconds in times.items():
                    atoms, values = steps.setdefault(name, ([], []))
                    atoms.append(structure.n_atom)
                    values.append(seconds)
                whole = times["potential"] + times["dispersion"]
                eigh = times.get("eigh", np.nan)
                rows.append(
                    [
                        family,
                        structure.n_atom,
                        f"{100.0 * times['dispersion'] / whole:.0f}",
                        *(f"{times.get(n, np.nan) / eigh:.1f}" for n in ("orbitals", "forces")),
                        f"{times.get('tblite', np.nan) / whole:.1f}",
                        f"{times.get('tblite', np.nan) / times.get('forces', np.nan):.1f}",
                    ]
                )
    for name, words in STEPS.items():
        cells = [
            f"{exponent(*found[family][name]):.2f}"
            if len(found[family].get(name, ((), ()))[0]) > 1
            else "-"
            for family in FAMILIES
        ]
        sizes.append([words, *cells])
    picture(found)
    head = (
        *("family", "atoms", "D4 in a step / %", "orbitals : eigensolver"),
        *("with forces : eigensolver", "tblite : step", "tblite : orbitals and forces"),
    )
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        report.table(head, [[str(c).replace("nan", "-") for c in row] for row in rows]),
        "Exponents:",
        report.table(("step", *FAMILIES), sizes),
        "![times](speed_sizes.png)",
    ]
    report.write("speed_sizes", "Time over size", sections, {"seconds": found})


if __name__ == "__main__":
    main()
