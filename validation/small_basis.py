"""What separates forces and levels of a small basis, and of GFN2-xTB, from those of the reference.

    python validation/small_basis.py [--number 130]

B3LYP/def2-SVP (grid level 1) and GFN2-xTB on molecules of three to six heavy atoms of the training
files, beside their B3LYP/def2-TZVP results. Differences of the forces are fitted by functions of
each pair of elements and its distance, those of the occupied valence levels by one constant for
each kind of orbital (element, s or p) times its share in the reference orbital, by ridge regression
on three quarters of the molecules. What is left on the others tells how simple the difference is,
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
from sklearn.linear_model import RidgeCV

from mlsemi.basis import Basis
from mlsemi.training import kohn_sham
from mlsemi.training.dataset import Reference, ReferenceDataset
from mlsemi.training.reference import Level, mean_field
from mlsemi.units import FORCE_EV_ANGSTROM, HARTREE_EV

FILES = ("small.h5", "small-2.h5", "small-4.h5")
ELEMENTS = (1, 6, 7, 8)
SIZES = range(3, 7)
SMALL = Level(basis="def2-svp", grid=1)
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
    ]
    order = np.random.default_rng(1).permutation(len(records))
    return [records[k] for k in order[:number]]


def by_gfn2(record: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Forces (n_atom, 3), eV/angstrom, and occupied valence levels, eV."""
    result = gfn2(record.structure)
    levels = np.sort(result.get("orbital-energies"))[: record.n_occupied]
    return -FORCE_EV_ANGSTROM * result.get("gradient"), HARTREE_EV * levels


def by_small_basis(record: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Forces (n_atom, 3), eV/angstrom, and occupied valence levels, eV."""
    solver = mean_field(record.structure, SMALL)
    levels = solver.mo_energy[record.n_core :][: record.n_occupied]
    return FORCE_EV_ANGSTROM * kohn_sham.forces(solver), HARTREE_EV * levels


def by_reference(record: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Forces (n_atom, 3), eV/angstrom, and occupied valence levels, eV."""
    forces = FORCE_EV_ANGSTROM * np.asarray(record.forces)
    return forces, HARTREE_EV * record.energies[: record.n_occupied]


def shares(record: Reference) -> np.ndarray:
    """(n_occupied, n_kind) part of every occupied orbital on each kind of minimal orbital."""
    basis = Basis.of(record.structure)
    numbers = record.structure.numbers[basis.orbital_atom]
    kind = 2 * np.searchsorted(ELEMENTS, numbers) + basis.orbital_l
    squares = record.valence_amplitudes[:, : record.n_occupied] ** 2
    out = np.zeros((record.n_occupied, 2 * len(ELEMENTS)))
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
    features = [pair_forces(r) for r in records], [shares(r) for r in records]
    exact = [by_reference(r) for r in records]
    errors = {}
    for name, method in {"B3LYP/def2-SVP": by_small_basis, "GFN2-xTB": by_gfn2}.items():
        found = [method(r) for r in track(records, name, transient=True)]
        errors[name] = [
            left_over(x, [e[k] - f[k] for e, f in zip(exact, found, strict=True)])
            for k, x in enumerate(features)
        ]
    head = ["method", "forces / (eV/angstrom)", "after a fit of pairs", "occupied levels / eV",
            "after a fit of constants"]  # fmt: skip
    rows = [[name, *(f"{e:.3f}" for pair in row for e in pair)] for name, row in errors.items()]
    report.write(
        "small_basis",
        "How far cheaper methods are from the reference",
        [" ".join(__doc__.split("\n\n", 2)[2].split()), report.table(head, rows)],
        {"structures": len(records), "errors": errors},
    )


if __name__ == "__main__":
    main()
