"""Harmonic frequencies, bond lengths and angles at the minima of ten held-out molecules.

    python validation/frequencies.py --parameters organic-1

Reference: B3LYP/def2-TZVP by PySCF, kept in minima.json with its provenance (`minima.py`). The
model relaxes the reference geometry to 0.001 eV / angstrom and its Hessian is a central difference
of analytic forces, 0.005 angstrom. Frequencies are compared in ascending order, without dispersion
as in the reference; GFN2-xTB (tblite) does the same beside it. Bonds are pairs closer than 1.3
times the sum of the covalent radii, angles those between two bonds.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
from collections.abc import Callable
from itertools import combinations

import numpy as np
import report
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import covalent_radii
from ase.optimize import BFGS
from ase.vibrations.data import VibrationsData
from rich.progress import track
from tblite.ase import TBLite

from mlsemi import MLSemi
from mlsemi.parameters import Parameters

MINIMA = report.HERE / "minima.json"
DELTA, FMAX = 0.005, 1e-3
BOND = 1.3


def hessian(atoms: Atoms) -> np.ndarray:
    """(3n, 3n) second derivatives, eV / angstrom^2."""
    rows = []
    for atom, axis in np.ndindex(len(atoms), 3):
        forces = []
        for sign in (1.0, -1.0):
            atoms.positions[atom, axis] += sign * DELTA
            forces.append(atoms.get_forces().ravel())
            atoms.positions[atom, axis] -= sign * DELTA
        rows.append((forces[1] - forces[0]) / (2.0 * DELTA))
    matrix = np.array(rows)
    return 0.5 * (matrix + matrix.T)


def internals(atoms: Atoms, reference: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Bond lengths (angstrom) and angles (degrees) of the bonds of the reference."""
    radii = covalent_radii[reference.numbers]
    near = reference.get_all_distances() < BOND * (radii[:, None] + radii[None, :])
    bonds = np.argwhere(np.triu(near, 1))
    lengths = [atoms.get_distance(i, j) for i, j in bonds]
    angles = [
        atoms.get_angle(i, k, j)
        for k in range(len(atoms))
        for i, j in combinations(np.flatnonzero(near[k] & (np.arange(len(atoms)) != k)), 2)
    ]
    return np.array(lengths), np.array(angles)


def compare(entry: dict[str, object], calculator: Calculator) -> dict[str, object]:
    """Errors of one method on one molecule."""
    reference = Atoms(entry["symbols"], entry["positions_angstrom"])
    atoms = reference.copy()
    atoms.calc = calculator
    converged = bool(BFGS(atoms, logfile=None).run(fmax=FMAX, steps=500))
    data = VibrationsData.from_2d(atoms, hessian(atoms))
    expected = np.array(entry["frequencies_cm"])
    found = data.get_frequencies()
    found = np.sort(np.where(found.imag > 0.0, -found.imag, found.real))
    moved = np.argsort(np.abs(found))[found.size - expected.size :]
    found = np.sort(found[moved])
    errors = found - np.sort(expected)
    (lengths, angles), (lengths_0, angles_0) = (internals(a, reference) for a in (atoms, reference))
    return {
        "converged": converged,
        "frequencies_cm": found.round(1).tolist(),
        "mean": float(np.abs(errors).mean()),
        "largest": float(errors[np.argmax(np.abs(errors))]),
        "imaginary": int((found < 0.0).sum()),
        "bonds": np.abs(lengths - lengths_0).tolist(),
        "angles": np.abs(angles - angles_0).tolist(),
    }


def errors_of(
    rows: dict[str, dict[str, object]], entries: dict
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of all frequencies (cm^-1), and absolute ones of bonds (angstrom) and angles."""
    errors = np.concatenate(
        [np.array(row["frequencies_cm"]) - np.sort(entries[key]["frequencies_cm"])
         for key, row in rows.items()]
    )  # fmt: skip
    bonds, angles = (
        np.concatenate([row[key] for row in rows.values()]) for key in ("bonds", "angles")
    )
    return errors, bonds, angles


def summary(name: str, rows: dict[str, dict[str, object]], entries: dict) -> list[str]:
    """One line over all molecules."""
    errors, bonds, angles = errors_of(rows, entries)
    return [
        name, str(errors.size), f"{np.abs(errors).mean():.1f}", f"{errors.mean():+.1f}",
        f"{np.abs(errors).max():.0f}", f"{bonds.mean():.4f}", f"{bonds.max():.3f}",
        f"{angles.mean():.2f}", f"{angles.max():.1f}",
    ]  # fmt: skip


def main() -> None:
    """Compare, write frequencies.md and frequencies.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", default="organic-1")
    options = parser.parse_args()
    parameters = Parameters.load(options.parameters)
    reference = json.loads(MINIMA.read_text())
    entries = reference["molecules"]
    methods: dict[str, Callable[[], Calculator]] = {
        parameters.name: lambda: MLSemi(parameters, dispersion=False),
        "GFN2-xTB": lambda: TBLite(method="GFN2-xTB", verbosity=0),
    }
    found = {
        method: {
            name: compare(entry, make())
            for name, entry in track(entries.items(), method, transient=True)
        }
        for method, make in methods.items()
    }
    rows = [
        [name, len(entry["frequencies_cm"])]
        + [
            cell
            for method in methods
            for cell in (
                f"{found[method][name]['mean']:.1f}",
                f"{found[method][name]['largest']:+.0f}",
                found[method][name]["imaginary"],
            )
        ]
        for name, entry in entries.items()
    ]
    head = ["molecule", "modes"]
    for method in methods:
        head += [f"{method}: mean error / cm⁻¹", "largest", "imaginary"]
    overall = ["method", "modes", "mean absolute error / cm⁻¹", "mean error", "largest"]
    overall += ["bonds: mean / angstrom", "largest", "angles: mean / degrees", "largest"]
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        report.table(overall, [summary(m, found[m], entries) for m in methods]),
        report.table(head, rows),
    ]
    used = {"name": parameters.name, "checksum": parameters.checksum}
    data = {"parameters": used, "reference": reference["level"], "found": found}
    report.write("frequencies", f"Minima and frequencies of {parameters.name}", sections, data)


if __name__ == "__main__":
    main()
