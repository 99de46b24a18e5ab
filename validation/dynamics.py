"""Energy conservation, stability at 500 K, and geometries that make no sense.

    python validation/dynamics.py --parameters organic-1 --nve-ps 10 --langevin-ps 100 \
        --molecules 20 --perturbed 10000 --dataset parameters/reference/organic.h5 --processes 2

Constant energy: time step 0.5 fs, five molecules are relaxed, thermalised for 0.5 ps at 300 K and
then left alone; the drift is the slope of a straight line through the total energy, the jump its
largest change in one step. Stability: held-out molecules (test split of the dataset) at 500 K, time
step 1 fs, Langevin thermostat of friction 0.01 per fs; a bond counts as broken when it is longer
than 1.6 times, and a new one as formed when it is shorter than 1.15 times the sum of the covalent
radii. Perturbed: every atom of a held-out molecule is moved at random by up to 0.5 angstrom; energy
and forces must be finite, or the error one of the program's own. Finished parts are kept in
dynamics.json and not repeated for the same parameters and lengths.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import numpy as np
import report
from ase import Atoms, units
from ase.build import molecule
from ase.data import covalent_radii
from ase.io import read
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary, ZeroRotation
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from rich.progress import track

from mlsemi import MLSemi, singlepoint
from mlsemi.errors import MlsemiError
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.units import BOHR_ANGSTROM

EXAMPLES = report.HERE.parent / "docs" / "examples"
STEP, LANGEVIN_STEP = 0.5 * units.fs, 1.0 * units.fs
WATCHED = 0.05
"""Picoseconds between two looks at the bonds."""

BROKEN, FORMED = 1.6, 1.15
AMPLITUDE = 0.5

Cell = dict[str, object]


def start(atoms: Atoms, parameters: Parameters, kelvin: float, seed: int) -> Atoms:
    """A relaxed copy with a calculator and random momenta."""
    atoms = atoms.copy()
    atoms.calc = MLSemi(parameters)
    BFGS(atoms, logfile=None).run(fmax=0.02, steps=500)
    rng = np.random.default_rng(seed)
    spread = np.sqrt(atoms.get_masses() * kelvin * units.kB)
    atoms.set_momenta(spread[:, None] * rng.normal(size=(len(atoms), 3)))
    Stationary(atoms)
    ZeroRotation(atoms)
    return atoms


def langevin(atoms: Atoms, step: float, kelvin: float, seed: int) -> Langevin:
    """Thermostat with its own random numbers."""
    return Langevin(
        atoms, step, temperature_K=kelvin, friction=0.01 / units.fs, fixcm=False,
        rng=np.random.default_rng(seed),
    )  # fmt: skip


def constant_energy(atoms: Atoms, parameters: Parameters, ps: float) -> Cell:
    """Drift, largest jump (meV per atom) and mean temperature of one run."""
    atoms = start(atoms, parameters, 300.0, 0)
    langevin(atoms, STEP, 300.0, 1).run(1000)
    total, kelvin = [], []

    def note() -> None:
        total.append(atoms.get_total_energy())
        kelvin.append(atoms.get_temperature())

    run = VelocityVerlet(atoms, STEP)
    run.attach(note)
    run.run(round(ps * 1000 * units.fs / STEP))
    energy = 1e3 * np.array(total) / len(atoms)
    time_ps = np.arange(energy.size) * STEP / (1000 * units.fs)
    return {
        "atoms": len(atoms),
        "drift": float(np.polyfit(time_ps, energy, 1)[0]),
        "spread": float(np.std(energy)),
        "jump": float(np.abs(np.diff(energy)).max()),
        "temperature": float(np.mean(kelvin)),
    }


def bonds(atoms: Atoms, factor: float) -> np.ndarray:
    """(n, n) whether two atoms are closer than ``factor`` times the sum of their radii."""
    radii = covalent_radii[atoms.numbers]
    close = atoms.get_all_distances() < factor * (radii[:, None] + radii[None, :])
    return np.triu(close, 1)


def changed(atoms: Atoms, first: np.ndarray) -> list[str]:
    """Bonds broken since, and bonds formed."""
    broken = first & ~bonds(atoms, BROKEN)
    formed = bonds(atoms, FORMED) & ~first
    symbols = atoms.symbols
    return [
        f"{symbols[i]}{i}-{symbols[j]}{j} {what}"
        for what, found in (("broken", broken), ("formed", formed))
        for i, j in np.argwhere(found)
    ]


def stability(atoms: Atoms, parameters: Parameters, ps: float) -> Cell:
    """How far a run at 500 K gets, and what ended it."""
    atoms = start(atoms, parameters, 500.0, 0)
    first = bonds(atoms, 1.3)
    run = langevin(atoms, LANGEVIN_STEP, 500.0, 1)
    steps, looks = (round(t * 1000 * units.fs / LANGEVIN_STEP) for t in (ps, WATCHED))
    kelvin: list[float] = []
    ended = ""
    for _ in range(0, steps, looks):
        try:
            run.run(min(looks, steps))
        except MlsemiError as error:
            ended = str(error)
            break
        kelvin.append(atoms.get_temperature())
        events = changed(atoms, first)
        if events or not np.isfinite(kelvin[-1]):
            ended = ", ".join(events) or "temperature not finite"
            break
    return {
        "atoms": len(atoms),
        "ps": float(run.get_time() / (1000 * units.fs)),
        "ended": ended,
        "temperature": float(np.mean(kelvin)) if kelvin else float("nan"),
    }


def perturbed(structure: Structure, parameters: Parameters, seed: int) -> str:
    """``answer``, the class of a clear error, or ``not finite``."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=structure.positions.shape)
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    length = AMPLITUDE / BOHR_ANGSTROM * rng.random((structure.n_atom, 1))
    try:
        moved = Structure(
            structure.numbers, structure.positions + length * direction, structure.charge
        )
        result = singlepoint(moved, parameters=parameters, forces=True)
    except MlsemiError as error:
        return type(error).__name__
    fine = np.isfinite(result.energy) and np.isfinite(result.forces).all()
    return "answer" if fine else "not finite"


def held_out(path: Path, parameters: Parameters, number: int) -> dict[str, Structure]:
    """Test molecules of a dataset that the parameters know, the largest first."""
    known = set(parameters.elements)
    records = {
        r.label: r.structure
        for r in ReferenceDataset.load(path).split("test")
        if set(r.structure.symbols) <= known and "." not in r.label
    }
    order = sorted(records, key=lambda label: (-records[label].n_atom, label))
    return {label: records[label] for label in order[:number]}


def as_atoms(structure: Structure) -> Atoms:
    """For ASE."""
    return Atoms(structure.numbers, structure.positions * BOHR_ANGSTROM)


class Notebook:
    """dynamics.json while it is being written: finished cells, by parameters and lengths."""

    def __init__(self, name: str, stamp: object) -> None:
        self.path = report.HERE / f"{name}.json"
        old = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.cells: dict[str, Cell] = old.get("cells", {}) if old.get("stamp") == stamp else {}
        self.stamp = stamp

    def cells_of(
        self, keys: dict[str, Atoms], compute: Callable[[Atoms], Cell], processes: int
    ) -> dict[str, Cell]:
        """Results of several keys, those that are missing computed side by side."""
        with ProcessPoolExecutor(processes) as pool:
            running = {
                pool.submit(compute, atoms): key
                for key, atoms in keys.items()
                if key not in self.cells
            }
            done = as_completed(running)
            for future in track(done, "stability", total=len(running), transient=True):
                self.keep(running[future], future.result())
        return {key: self.cells[key] for key in keys}

    def cell(self, key: str, compute: Callable[[], Cell]) -> Cell:
        """The result under a key, computed if it is not there yet."""
        if key not in self.cells:
            self.keep(key, compute())
        return self.cells[key]

    def keep(self, key: str, cell: Cell) -> None:
        """Write a finished cell."""
        self.cells[key] = cell
        content = {"stamp": self.stamp, "cells": self.cells}
        self.path.write_text(json.dumps(content, indent=2) + "\n")


def nve_molecules() -> dict[str, Atoms]:
    """Five molecules for constant energy."""
    out = {name: molecule(name) for name in ("CH3CH2OH", "CH3CONH2", "C6H6", "C5H5N")}
    return out | {"caffeine": read(EXAMPLES / "caffeine.xyz")}


def main() -> None:
    """Run, write dynamics.md and dynamics.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default="organic-1")
    reference = report.HERE.parent / "parameters" / "reference"
    parser.add_argument("--dataset", type=Path, default=reference / "organic.h5")
    parser.add_argument("--nve-ps", type=float, default=10.0)
    parser.add_argument("--langevin-ps", type=float, default=100.0)
    parser.add_argument("--molecules", type=int, default=20)
    parser.add_argument("--perturbed", type=int, default=10000)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    parameters = Parameters.load(options.parameters)
    used = {"name": parameters.name, "checksum": parameters.checksum}
    other = ("parameters", "dataset", "processes")
    lengths = {k: v for k, v in vars(options).items() if k not in other}
    lengths["langevin_fs"] = LANGEVIN_STEP / units.fs
    stamp = used | lengths | {"dataset": options.dataset.name}
    book = Notebook("dynamics", stamp)
    chosen = held_out(options.dataset, parameters, options.molecules)

    nve = {
        name: book.cell(
            f"nve {name}", lambda a=atoms: constant_energy(a, parameters, options.nve_ps)
        )
        for name, atoms in track(nve_molecules().items(), "constant energy", transient=True)
    }
    run = partial(stability, parameters=parameters, ps=options.langevin_ps)
    cells = book.cells_of(
        {f"langevin {label}": as_atoms(s) for label, s in chosen.items()}, run, options.processes
    )
    stable = dict(zip(chosen, cells.values(), strict=True))
    structures = list(chosen.values())
    counts = book.cell(
        "perturbed",
        lambda: dict(
            Counter(
                perturbed(structures[k % len(structures)], parameters, k)
                for k in track(range(options.perturbed), "perturbed", transient=True)
            )
        ),
    )
    intact = sum(not cell["ended"] for cell in stable.values())
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        f"## Constant energy, {options.nve_ps:g} ps at 300 K (meV per atom)",
        report.table(
            ["molecule", "atoms", "drift / ps", "largest jump in a step", "standard deviation",
             "mean temperature / K"],
            [
                [name, c["atoms"], f"{c['drift']:.4f}", f"{c['jump']:.3f}", f"{c['spread']:.3f}",
                 f"{c['temperature']:.0f}"]
                for name, c in nve.items()
            ],
        ),
        f"## Stability, {options.langevin_ps:g} ps at 500 K: {intact} of {len(stable)} intact",
        report.table(
            ["molecule", "atoms", "ps", "ended by", "mean temperature / K"],
            [
                [f"`{label}`", c["atoms"], f"{c['ps']:.1f}", c["ended"], f"{c['temperature']:.0f}"]
                for label, c in stable.items()
            ],
        ),
        f"## {options.perturbed} perturbed geometries",
        report.table(["outcome", "geometries"], sorted(counts.items())),
    ]  # fmt: skip
    data = {"stamp": stamp, "cells": book.cells, "parameters": used}
    report.write("dynamics", f"Dynamics with {parameters.name}", sections, data)


if __name__ == "__main__":
    main()
