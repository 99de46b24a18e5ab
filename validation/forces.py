"""Forces against central differences of the energy, ground state and S1, cold and smeared.

    python validation/forces.py --parameters organic-1 --geometries 50

Random geometries: molecules of `ase.build` with every atom displaced by a normal deviate of 0.15
angstrom. In every fifth geometry two of them stand so that one pair of atoms has exactly the cutoff
distance of the model, and the difference steps across it. All coordinates are compared, with
differences of fourth order and a step of 0.000125 bohr (at the cutoff they are of second order,
since there the third derivative of the radial functions jumps). S1 is the lowest singlet of the
geometry and followed from there: some have a second one close by. Dispersion is part of every
energy.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Callable

import numpy as np
import report
from ase import Atoms
from ase.build import molecule
from rich.progress import track
from scipy.spatial.distance import cdist

from mlsemi import singlepoint
from mlsemi.calculators.surface import SurfacePoint, excited_surface
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.units import BOHR_ANGSTROM

MOLECULES = ("H2O", "CH4", "NH3", "H2CO", "CH3OH", "HCN", "HCOOH", "C2H4", "C2H6", "CH3CONH2",
             "CH3NO2", "C4H4O", "C5H5N", "CH3CHO", "C3H4_C2v", "N2H4")  # fmt: skip
DISPLACEMENT = 0.15
STEP = 1.25e-4
"""Bohr. In the geometry worst for it, the error of the difference falls like the fourth power of
the step down to here: 5e-5, 3e-6, 2e-7, 1e-8 hartree / bohr from 1e-3 bohr on."""
HOT = 8000.0
"""Electronic temperature, kelvin: a gap of 5 eV has 3e-3 electrons across."""

Evaluate = Callable[[Structure, bool], tuple[float, np.ndarray | None]]
"""Energy and, if asked for, forces of a structure."""


def distorted(rng: np.random.Generator) -> Atoms:
    """One molecule, displaced at random."""
    out = molecule(str(rng.choice(MOLECULES)))
    out.positions += DISPLACEMENT * rng.normal(size=out.positions.shape)
    return out


def at_the_cutoff(rng: np.random.Generator, cutoff: float) -> Atoms:
    """Two molecules on the z axis with their nearest atoms at the cutoff distance."""
    one, two = distorted(rng), distorted(rng)
    two.positions[:, 2] += one.positions[:, 2].max() - two.positions[:, 2].min() + 1.5
    for _ in range(60):  # the nearest pair changes on the way, so the shift is repeated
        distance = cdist(one.positions, two.positions)
        i, j = np.unravel_index(distance.argmin(), distance.shape)
        across = two.positions[j] - one.positions[i]
        height = np.sqrt(max((cutoff * BOHR_ANGSTROM) ** 2 - across[0] ** 2 - across[1] ** 2, 0.0))
        two.positions[:, 2] += height - across[2]
    return one + two


def geometries(number: int, cutoff: float, seed: int = 0) -> list[tuple[str, Structure]]:
    """Name and structure of each geometry."""
    out = []
    for index in range(number):
        rng = np.random.default_rng([seed, index])
        crossing = index % 5 == 4
        atoms = at_the_cutoff(rng, cutoff) if crossing else distorted(rng)
        label = str(atoms.symbols) + (" at the cutoff" if crossing else "")
        out.append((label, Structure.from_ase(atoms)))
    return out


def ground(parameters: Parameters, kelvin: float) -> Evaluate:
    """The ground state."""

    def evaluate(structure: Structure, forces: bool) -> tuple[float, np.ndarray | None]:
        result = singlepoint(
            structure, parameters=parameters, forces=forces, electronic_temperature=kelvin
        )
        return result.energy, result.forces

    return evaluate


def first_singlet(parameters: Parameters, kelvin: float) -> Evaluate:
    """S1 where forces are asked for, and the same state at the geometries after."""
    followed: list[SurfacePoint | None] = [None]

    def evaluate(structure: Structure, forces: bool) -> tuple[float, np.ndarray | None]:
        point = excited_surface(
            structure,
            parameters,
            1,
            forces=forces,
            electronic_temperature=kelvin,
            previous=None if forces else followed[0],
        )
        if forces:
            followed[0] = point
        return point.energy, point.forces

    return evaluate


def largest_error(evaluate: Evaluate, structure: Structure) -> tuple[float, float]:
    """Largest |F + dE/dx| and largest |F| over all coordinates, hartree / bohr."""
    forces = evaluate(structure, True)[1]
    slopes = np.empty_like(forces)
    for atom, axis in np.ndindex(forces.shape):
        values = []
        for factor in (1.0, -1.0, 2.0, -2.0):
            x = np.array(structure.positions)
            x[atom, axis] += factor * STEP
            values.append(evaluate(Structure(structure.numbers, x, structure.charge), False)[0])
        up, down, far_up, far_down = values
        slopes[atom, axis] = (8.0 * (up - down) - far_up + far_down) / (12.0 * STEP)
    return float(np.abs(forces + slopes).max()), float(np.abs(forces).max())


def compare(parameters: Parameters, number: int) -> dict[str, list[tuple[str, float, float]]]:
    """Of each surface: label, largest error and largest force of every geometry."""
    cases = {
        "ground state": ground(parameters, 0.0),
        f"ground state, {HOT:.0f} K": ground(parameters, HOT),
        "S1": first_singlet(parameters, 0.0),
        f"S1, {HOT:.0f} K": first_singlet(parameters, HOT),
    }
    chosen = geometries(number, parameters.model.form.cutoff)
    found: dict[str, list[tuple[str, float, float]]] = {name: [] for name in cases}
    for label, structure in track(chosen, "geometries", transient=True):
        for name, evaluate in cases.items():
            found[name].append((label, *largest_error(evaluate, structure)))
    return found


def main() -> None:
    """Compare, write forces.md and forces.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default="organic-1")
    parser.add_argument("--geometries", type=int, default=50)
    options = parser.parse_args()
    parameters = Parameters.load(options.parameters)
    found = compare(parameters, options.geometries)
    rows = []
    for name, entries in found.items():
        crossing = [error for label, error, _ in entries if "cutoff" in label]
        rows.append([
            name, len(entries), f"{max(e for _, e, _ in entries):.1e}",
            f"{max(crossing, default=0.0):.1e}", f"{np.median([e for _, e, _ in entries]):.1e}",
            f"{np.median([f for _, _, f in entries]):.3f}",
        ])  # fmt: skip
    head = ["surface", "geometries", "largest error", "of those at the cutoff",
            "median of the largest per geometry", "typical largest force"]  # fmt: skip
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        "Hartree / bohr.",
        report.table(head, rows),
    ]
    used = {"name": parameters.name, "checksum": parameters.checksum}
    report.write("forces", "Forces and differences", sections, {"parameters": used, "found": found})


if __name__ == "__main__":
    main()
