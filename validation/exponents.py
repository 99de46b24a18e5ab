"""Standard against refitted exponents of the minimal basis, and three Gaussians against six.

    python validation/exponents.py

The model predicts the Hamiltonian in the orthonormal frame, so that levels, charges and energies do
not depend on the basis functions; what does are the dipole integrals behind every spectrum. Here
they are taken in the Loewdin frame of each basis and compared with those of CAM-B3LYP/def2-TZVP in
its orthonormal frame of intrinsic atomic orbitals, and, contracted with the transition densities of
TDA-ris valence singlets in that frame, with oscillator strengths of the large basis. Slater
exponents are refitted (one per element, s and p shared) to the matrix elements of the training
molecules; errors are those of the test molecules, never fitted to.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import report
import slater_expansion
from scipy.optimize import minimize

from mlsemi.molecule import basis as basis_module
from mlsemi.molecule.basis import SLATER_EXPANSION, SLATER_EXPONENT, Basis, species_row
from mlsemi.molecule.elements import symbol
from mlsemi.training.data.dataset import Reference, ReferenceDataset
from mlsemi.training.objective.excitation_cases import BRIGHT, in_valence_frame, loewdin_dipole

REFERENCE = report.HERE.parent / "parameters" / "reference"
FILE = "singlets.h5"
MOST_TRAINING = 120
"""Molecules that exponents are fitted to; seven numbers need no more."""


@contextmanager
def gaussians(n_primitive: int) -> Iterator[None]:
    """Expand Slater functions in so many Gaussians inside the block."""
    table = {}
    for n in SLATER_EXPANSION:
        exponents = slater_expansion.fit(n, n_primitive)
        shells = range(min(n, 2))
        coefficients = tuple(
            tuple(slater_expansion.best_expansion(exponents, n, l)[0]) for l in shells
        )
        table[n] = (tuple(exponents), coefficients)
    with patch.object(basis_module, "SLATER_EXPANSION", table):
        species_row.cache_clear()
        try:
            yield
        finally:
            species_row.cache_clear()


def in_loewdin_frame(record: Reference, zeta: Mapping[int, float]) -> np.ndarray:
    """(3, n, n) dipole integrals with these Slater exponents, bohr."""
    return loewdin_dipole(Basis.of(record.structure, zeta), record.structure.positions)


def deviation(records: Sequence[Reference], zeta: Mapping[int, float]) -> float:
    """Root mean square deviation of the dipole matrix elements, bohr."""
    squares = [
        (in_loewdin_frame(r, zeta) - r.dipole_matrix).ravel() ** 2  # type: ignore[operator]
        for r in records
    ]
    return float(np.sqrt(np.mean(np.concatenate(squares))))


def strength_errors(records: Sequence[Reference], zeta: Mapping[int, float]) -> np.ndarray:
    """F / f(reference) - 1 of the bright TDA-ris singlets with f = 2/3 w 2 |tr T r|^2."""
    ratios = []
    for record in records:
        assert record.ris_energies is not None
        assert record.ris_transitions is not None
        moments = np.einsum("kmn,xmn->kx", record.ris_transitions, in_loewdin_frame(record, zeta))
        found = 4.0 / 3.0 * record.ris_energies * np.sum(moments**2, axis=1)
        bright = (record.ris_strengths > BRIGHT) & in_valence_frame(record.ris_transitions)
        ratios.append(found[bright] / record.ris_strengths[bright])
    return np.concatenate(ratios) - 1.0


def refitted(records: Sequence[Reference]) -> dict[int, float]:
    """Exponents with the smallest deviation on these molecules."""
    elements = sorted({z for r in records for z in r.structure.numbers.tolist()})

    def objective(x: np.ndarray) -> float:
        return deviation(records, dict(zip(elements, np.exp(x).tolist(), strict=True)))

    start = np.log([SLATER_EXPONENT[z] for z in elements])
    result = minimize(objective, start, method="L-BFGS-B", options={"ftol": 1e-6, "eps": 1e-5})
    return dict(zip(elements, np.exp(result.x).tolist(), strict=True))


def spread(records: Sequence[Reference], limit: int) -> list[Reference]:
    """So many records at most, evenly taken."""
    return list(records)[:: max(1, len(records) // limit)][:limit]


def main() -> None:
    """Fit, compare, write exponents.md and .json."""
    dataset = ReferenceDataset.load(REFERENCE / FILE)
    fitted_to = spread([r for r in dataset if r.split == "train"], MOST_TRAINING)
    test = [r for r in dataset if r.split == "test"]
    rows, found, exponents = [], {}, {}
    for name, n_primitive, choose in VARIANTS:
        with gaussians(n_primitive):
            zeta = choose(fitted_to)
            strengths = strength_errors(test, zeta)
            errors = {
                "elements_bohr": deviation(test, zeta),
                "strengths_mean": float(np.mean(strengths)),
                "strengths_mae": float(np.mean(np.abs(strengths))),
            }
        found[name], exponents[name] = errors, {symbol(z): x for z, x in zeta.items()}
        rows.append(
            [
                name,
                f"{errors['elements_bohr']:.4f}",
                f"{100 * errors['strengths_mean']:+.0f} %",
                f"{100 * errors['strengths_mae']:.0f} %",
                " ".join(f"{e} {x:.2f}" for e, x in exponents[name].items()),
            ]
        )
    head = [
        "basis",
        "matrix elements, RMS / bohr",
        "strengths, mean",
        "strengths, mean absolute",
        "zeta / (1/bohr)",
    ]
    report.write(
        "exponents",
        "Exponents of the minimal basis",
        [
            " ".join(__doc__.split("\n\n", 2)[2].split()),
            f"{len(fitted_to)} molecules fitted to, {len(test)} test molecules.",
            report.table(head, rows),
        ],
        {"errors": found, "exponents": exponents},
    )


def standard(records: Sequence[Reference]) -> dict[int, float]:
    """Standard molecular exponents of the elements of these molecules."""
    elements = {z for r in records for z in r.structure.numbers.tolist()}
    return {z: SLATER_EXPONENT[z] for z in sorted(elements)}


Choice = Callable[[Sequence[Reference]], dict[int, float]]
VARIANTS: tuple[tuple[str, int, Choice], ...] = (
    ("STO-3G", 3, standard),
    ("STO-6G (mlsemi)", 6, standard),
    ("six Gaussians, refitted exponents", 6, refitted),
)

if __name__ == "__main__":
    main()
