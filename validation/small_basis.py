"""What separates forces and levels of a small basis, and of GFN2-xTB, from those of the reference.

    python validation/small_basis.py [--number 130]

B3LYP/def2-SVP (grid level 1) and GFN2-xTB on molecules of three to six heavy atoms of the training
files, beside their B3LYP/def2-TZVP results. Differences of the forces are fitted by functions of
each pair of elements and its distance, those of the occupied valence levels by one constant for
each kind of orbital (element, s or p) times its share in the reference orbital, by ridge regression
on three quarters of the molecules; so are those of the valence virtual levels, matched by overlap,
and the LUMO's among them. What is left on the others tells how simple the difference is,
and so what calculations of the method are worth in training.
"""

from __future__ import annotations

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import report
from gfn2 import gfn2
from rich.progress import track
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import RidgeCV

from mlsemi.molecule.basis import Basis
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.training.reference.calculation import Level, reference_record
from mlsemi.units import FORCE_EV_ANGSTROM, HARTREE_EV

FILES = ("small.h5", "small-2.h5", "small-4.h5")
ELEMENTS = (1, 6, 7, 8)
SIZES = range(3, 7)
SMALL = Level(basis="def2-svp", grid=1, forces=True)
CENTERS = np.linspace(1.2, 7.0, 24)
"""Of the Gaussians of the distance, bohr."""
PENALTIES = 10.0 ** np.arange(-4.0, 3.0)
LEARNED = 0.75


def chosen(number: int) -> list[Reference]:
    """Records, in random order."""
    folder = report.HERE.parent / "parameters" / "reference"
    records = [
        r
        for r in ReferenceDataset.load(*(folder / name for name in FILES))
        if set(r.structure.numbers.tolist()) <= set(ELEMENTS)
        and int((r.structure.numbers > 1).sum()) in SIZES
        and r.split == "train"
        and r.valence_virtuals.size
    ]
    order = np.random.default_rng(1).permutation(len(records))
    return [records[k] for k in order[:number]]


def by_gfn2(record: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Forces (n_atom, 3), eV/angstrom, and occupied valence levels, eV."""
    result = gfn2(record.structure)
    levels = np.sort(result.get("orbital-energies"))[: record.n_occupied]
    return -FORCE_EV_ANGSTROM * result.get("gradient"), HARTREE_EV * levels


def of_record(record: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Forces (n_atom, 3), eV/angstrom, and occupied valence levels, eV."""
    forces = FORCE_EV_ANGSTROM * np.asarray(record.forces)
    return forces, HARTREE_EV * record.energies[: record.n_occupied]


def by_small_basis(record: Reference) -> Reference:
    """The same geometry in the small basis."""
    return reference_record(record.structure, record.molecule, record.label, record.origin, SMALL)


def virtual_levels(record: Reference, small: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Differences (n_matched,) of matched valence virtual levels, eV, and of which orbitals."""
    ours, theirs = record.valence_virtuals, small.valence_virtuals
    overlap = record.valence_amplitudes[:, ours].T @ small.valence_amplitudes[:, theirs]
    rows, columns = linear_sum_assignment(-(overlap**2))
    difference = record.energies[ours[rows]] - small.energies[theirs[columns]]
    return HARTREE_EV * difference, ours[rows]


def of_lumo(record: Reference, found: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """(1,) the LUMO's difference among those of :func:`virtual_levels`, (0,) without a match."""
    difference, orbitals = found
    return difference[orbitals == record.valence_virtuals[0]]


def shares(record: Reference, orbitals: np.ndarray) -> np.ndarray:
    """(n, n_kind) part of some orbitals on each kind of minimal orbital."""
    basis = Basis.of(record.structure)
    numbers = record.structure.numbers[basis.orbital_atom]
    kind = 2 * np.searchsorted(ELEMENTS, numbers) + basis.orbital_l
    squares = record.valence_amplitudes[:, orbitals] ** 2
    out = np.zeros((len(orbitals), 2 * len(ELEMENTS)))
    np.add.at(out.T, kind, squares)
    return out


def pair_forces(record: Reference) -> np.ndarray:
    """(3 n_atom, n_function) forces of every function of every pair of elements."""
    numbers, x = record.structure.numbers, record.structure.positions
    width = CENTERS[1] - CENTERS[0]
    pairs = [(a, b) for a in ELEMENTS for b in ELEMENTS if a <= b]
    out = np.zeros((len(x), 3, len(pairs), CENTERS.size))
    for i in range(len(x)):
        for j in range(i):
            apart = x[i] - x[j]
            distance = np.linalg.norm(apart)
            scaled = (distance - CENTERS) / width
            slope = -scaled / width * np.exp(-0.5 * scaled**2)
            column = pairs.index((min(numbers[i], numbers[j]), max(numbers[i], numbers[j])))
            force = -apart[:, None] / distance * slope
            out[i, :, column] += force
            out[j, :, column] -= force
    return out.reshape(3 * len(x), -1)


def left_over(features: list[np.ndarray], differences: list[np.ndarray]) -> tuple[float, float]:
    """Mean absolute difference on the unseen quarter, before and after the fit."""
    n = int(LEARNED * len(features))
    flat = [d.ravel() for d in differences]
    fit = RidgeCV(PENALTIES, fit_intercept=False)
    fit.fit(np.concatenate(features[:n]), np.concatenate(flat[:n]))
    unseen, found = np.concatenate(features[n:]), np.concatenate(flat[n:])
    return float(np.abs(found).mean()), float(np.abs(found - fit.predict(unseen)).mean())


def main() -> None:
    """Compute, fit, write small_basis.md and small_basis.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=130, help="structures")
    options = parser.parse_args()
    records = chosen(options.number)
    pairs = [pair_forces(r) for r in records]
    kinds = [shares(r, np.arange(r.n_occupied)) for r in records]
    exact = [of_record(r) for r in records]
    small = [by_small_basis(r) for r in track(records, "B3LYP/def2-SVP", transient=True)]
    found = {
        "B3LYP/def2-SVP": [of_record(r) for r in small],
        "GFN2-xTB": [by_gfn2(r) for r in track(records, "GFN2-xTB", transient=True)],
    }
    errors = {}
    for name, results in found.items():
        both = list(zip(exact, results, strict=True))
        errors[name] = {
            "forces / (eV/angstrom), a function per pair": left_over(
                pairs, [e[0] - f[0] for e, f in both]
            ),
            "occupied levels / eV, a constant per kind": left_over(
                kinds, [e[1] - f[1] for e, f in both]
            ),
        }
    virtual = [virtual_levels(r, s) for r, s in zip(records, small, strict=True)]
    virtual_kinds = [shares(r, rows) for r, (_, rows) in zip(records, virtual, strict=True)]
    lumo = [of_lumo(r, v) for r, v in zip(records, virtual, strict=True)]
    of_small = errors["B3LYP/def2-SVP"]
    of_small["valence virtual levels / eV, a constant per kind"] = left_over(
        virtual_kinds, [d for d, _ in virtual]
    )
    of_small["LUMO / eV, one constant"] = left_over([np.ones((d.size, 1)) for d in lumo], lumo)
    head = ["method", "what, fitted by", "difference", "after the fit"]
    rows = [
        [name, what, *(f"{e:.3f}" for e in pair)]
        for name, table in errors.items()
        for what, pair in table.items()
    ]
    report.write(
        "small_basis",
        "How far cheaper methods are from the reference",
        [" ".join(__doc__.split("\n\n", 2)[2].split()), report.table(head, rows)],
        {"structures": len(records), "errors": errors},
    )


if __name__ == "__main__":
    main()
