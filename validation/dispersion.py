"""D4 of the program beside D4 of its authors: error, size-consistency, time.

    python validation/dispersion.py

The program's D4 has charges that flow along bonds alone, ends for triples and charges at 18 bohr
and for pairs at 40, and C6 of eight factors (theory section 10). Beside it stands `dftd4` with all
pairs and triples and charges equilibrated over the whole system. Times are processor times, the
least of several runs in turn; the share is that of an energy and its forces without orbitals.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import time
from collections.abc import Callable

import numpy as np
import report
from apart import dimer_and_molecules
from ase import Atoms, units
from ase.build import molecule
from ase.data.s22 import s22
from dftd4.interface import DampingParam, DispersionModel
from rich.progress import track

from mlsemi.calculators.potential import potential_energy
from mlsemi.molecule.dispersion import dispersion_of
from mlsemi.molecule.formats import read_structures
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.sets.releases import DEFAULT

EXAMPLES = report.HERE.parent / "docs" / "examples"
FUNCTIONAL = "b3lyp"
EVERYTHING = 1e4
"""Bohr: a range that holds all pairs and triples."""
KCAL_MOL = units.Hartree * units.mol / units.kcal
MOST_OF_LIBRARY = 300
"""Atoms above which the library would take minutes."""


def library(structure: Structure, *, whole: bool = True, gradient: bool = False) -> float:
    """Energy by dftd4, hartree; with its own ranges (a step at 40 bohr) or of everything."""
    model = DispersionModel(structure.numbers, np.array(structure.positions), structure.charge)
    if whole:
        model.set_realspace_cutoff(disp2=EVERYTHING, disp3=EVERYTHING, cn=EVERYTHING)
    damping = DampingParam(method=FUNCTIONAL)
    return float(model.get_dispersion(damping, grad=gradient)["energy"])


def water(n: int, seed: int = 0) -> Structure:
    """A ball of n randomly turned molecules at the density of the liquid."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(n ** (1 / 3))) + 2
    places = np.array(list(np.ndindex(side, side, side))) - (side - 1) / 2
    ball = Atoms()
    for place in places[np.argsort(np.linalg.norm(places, axis=1), kind="stable")[:n]]:
        one = molecule("H2O")
        one.rotate(rng.uniform(0.0, 180.0), rng.normal(size=3), center="COM")
        one.positions += 3.107 * place
        ball += one
    return Structure.from_ase(ball)


def alkane(n: int) -> Structure:
    """A straight chain of n carbon atoms."""
    atoms = []
    for i in range(n):
        up = (-1) ** i
        atoms += [("C", (1.27 * i, 0.43 * up, 0.0))]
        atoms += [("H", (1.27 * i, 1.07 * up, side * 0.88)) for side in (-1, 1)]
    up = (-1) ** (n - 1)
    atoms += [("H", (-0.89, -0.2, 0.0)), ("H", (1.27 * (n - 1) + 0.89, -0.2 * up, 0.0))]
    symbols, positions = zip(*atoms, strict=True)
    return Structure.from_ase(Atoms(symbols, positions))


def molecules() -> dict[str, Structure]:
    """From small to large."""
    named = {name: Structure.from_ase(molecule(name)) for name in ("C6H6", "CH3CONH2", "CH3SH")}
    read = {name: read_structures(EXAMPLES / f"{name}.xyz")[0] for name in ("caffeine", "C60")}
    read |= {"beta-carotene": read_structures(EXAMPLES / "beta-carotene.xyz")[0]}
    return named | read | {"C99H200": alkane(99), "64 waters": water(64)}


def errors() -> list[list[object]]:
    """Rows of energies, kcal/mol."""
    rows: list[list[object]] = []
    for name, structure in track(molecules().items(), "errors", transient=True):
        exact, own = library(structure), dispersion_of(structure, FUNCTIONAL).energy
        change = (own - exact) * KCAL_MOL
        rows.append([name, structure.n_atom, f"{exact * KCAL_MOL:.3f}", f"{change:+.5f}"])
    return rows


def between() -> tuple[float, float]:
    """Mean and largest change of the dispersion between the molecules of S22, kcal/mol."""
    changes = []
    for name in track(s22, "dimers", transient=True):
        parts = [Structure.from_ase(a) for a in dimer_and_molecules(name)]
        own, exact = (
            function(parts[0]) - function(parts[1]) - function(parts[2])
            for function in (lambda s: dispersion_of(s, FUNCTIONAL).energy, library)
        )
        changes.append(abs(own - exact) * KCAL_MOL)
    return float(np.mean(changes)), float(np.max(changes))


def seconds(tasks: list[Callable[[], object]], rounds: int) -> list[float]:
    """Least processor time of each task, run in turn."""
    best = [np.inf] * len(tasks)
    for _ in range(rounds):
        for n, task in enumerate(tasks):
            start = time.process_time()
            task()
            best[n] = min(best[n], time.process_time() - start)
    return best


def times(parameters: Parameters) -> list[list[object]]:
    """Rows of times, ms, with gradients."""
    systems = {f"{3 * n} atoms of water": water(n) for n in (333, 1000)}
    systems |= {f"C{n}H{2 * n + 2}": alkane(n) for n in (333, 999)}
    rows: list[list[object]] = []
    for name, structure in track((molecules() | systems).items(), "times", transient=True):
        tasks: list[Callable[[], object]] = [
            lambda s=structure: dispersion_of(s, FUNCTIONAL, with_gradient=True),
            lambda s=structure: potential_energy(s, parameters, dispersion=False),
        ]
        small = structure.n_atom <= MOST_OF_LIBRARY
        if small:
            tasks.append(lambda s=structure: library(s, whole=False, gradient=True))
        tasks[0](), tasks[1]()
        found = seconds(tasks, 5 if structure.n_atom < 100 else 2)
        share = 100.0 * found[0] / (found[0] + found[1])
        theirs = f"{found[2] / found[0]:.0f}" if small else "-"
        rows.append([name, structure.n_atom, f"{1e3 * found[0]:.3g}", f"{share:.0f}", theirs])
    return rows


def main() -> None:
    """Measure, write dispersion.md and dispersion.json."""
    energies, (mean, largest) = errors(), between()
    timed = times(Parameters.load(DEFAULT))
    head = ["molecule", "atoms", "D4 / (kcal/mol)", "change"]
    timed_head = ["system", "atoms", "own / ms", "share of a step / %", "dftd4 : own"]
    contacts = (
        f"Between the molecules of the S22 dimers it changes by {mean:.3f} kcal/mol on average and "
        f"{largest:.3f} at most: D4's own charges flow between molecules."
    )
    sections = [report.table(head, energies), contacts, report.table(timed_head, timed)]
    data = {"errors": energies, "s22": {"mean": mean, "largest": largest}, "times": timed}
    report.write("dispersion", "Dispersion beside D4 of its authors", sections, data)


if __name__ == "__main__":
    main()
