"""Ethanol, thermal frames: learning curve of the full Fock matrix and of its projection.

    python validation/ethanol.py [--frames 300] [--keep 100]

PBE/def2-SVP with density fitting (PySCF), the level of the published data set of ethanol Fock
matrices (Schuett et al., Nat. Commun. 10, 5024 (2019)); frames of GFN2-xTB Langevin dynamics at
500 K. Targets are the full 72 x 72 Fock matrix in the atomic-orbital basis, as it is, and the
18 x 18 projected valence Hamiltonian. Every irrep of every block is a ridge regression, once on
features of order nu = 2 and once with their products with invariants of the same atom or pair
added (equation L7 of docs/learning.md). Contractions and principal components are fitted to
training frames, alpha is chosen inside the training frames. Levels of the full matrix
use the exact overlap. Frames are cached in `runs/frames`; a run that is stopped goes on where it
was.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
from collections.abc import Sequence

import numpy as np
import report
from panels import Panel, figure_of
from thermal_frames import Frames, frames_of

from mlsemi.draw.plots import save
from mlsemi.representations.learning.block_features import BlockFeatures
from mlsemi.representations.learning.hamiltonian import OperatorRegressor, levels
from mlsemi.representations.learning.invariant_products import InvariantProducts
from mlsemi.representations.learning.operators import OperatorLayout
from mlsemi.representations.learning.ridge import SymmetryRidgeCV, SymmetryRidgeHoldout
from mlsemi.training.reference.calculation import Level
from mlsemi.units import HARTREE_EV

MODELS = {
    "linear": (SymmetryRidgeCV(), None, (25, 50, 100, 200, 400, 800)),
    "products": (SymmetryRidgeHoldout(), InvariantProducts(), (100, 200, 400, 800)),
}
N_FIT = 25
"""Training frames that the contractions are fitted to."""

N_OCCUPIED = 13
N_TEST = 100
MEV = 1000.0 * HARTREE_EV
PUBLISHED_MEV = {"SchNOrb, 25 000 frames": 5.0, "PhiSNet, 25 000 frames": 0.3}
"""Rounded mean absolute errors of the elements of the full ethanol Fock matrix: Schuett et al.,
Nat. Commun. 10, 5024 (2019); Unke et al., Adv. Neural Inf. Process. Syst. 34 (2021)."""


def errors_of(
    predicted: Sequence[np.ndarray],
    matrices: np.ndarray,
    overlaps: np.ndarray | None,
    n_occupied: int,
) -> dict[str, float]:
    """Mean absolute errors of elements and occupied energies, root mean square of the latter."""
    rest = np.array(levels(predicted, overlaps)) - np.array(levels(matrices, overlaps))
    return {
        "elements_mae_mev": MEV * float(np.abs(np.array(predicted) - matrices).mean()),
        "occupied_mae_mev": MEV * float(np.abs(rest[:, :n_occupied]).mean()),
        "occupied_rmse_mev": MEV * float(np.sqrt(np.mean(rest[:, :n_occupied] ** 2))),
        "lumo_mae_mev": MEV * float(np.abs(rest[:, n_occupied]).mean()),
    }


def curves(
    layout: OperatorLayout,
    frames: Frames,
    matrices: np.ndarray,
    overlaps: np.ndarray | None,
    n_keep: int,
) -> dict[str, dict[int, dict[str, float]]]:
    """Errors on the test frames for every model and number of training frames."""
    n_test = min(N_TEST, len(matrices) // 3)
    order = np.random.default_rng(0).permutation(len(matrices))
    train, test = order[:-n_test], order[-n_test:]
    structures = frames.structures
    features = BlockFeatures(
        layout, nu=2, cutoff=12.0, n_radial=8, l_density=4, n_keep=n_keep, n_product=10 * n_keep
    )
    features.fit([structures[i] for i in train[:N_FIT]])
    x = features.transform(structures)
    n_occupied = N_OCCUPIED if overlaps is not None else structures[0].n_electron // 2
    metric = None if overlaps is None else overlaps[test]
    out: dict[str, dict[int, dict[str, float]]] = {name: {} for name in MODELS}
    for name, (estimator, products, sizes) in MODELS.items():
        for size in [n for n in sizes if n <= train.size]:
            rows = train[:size]
            model = OperatorRegressor(layout, estimator, products)
            model.fit([x[i] for i in rows], matrices[rows])
            predicted = model.predict([x[i] for i in test])
            out[name][size] = errors_of(predicted, matrices[test], metric, n_occupied)
            mae = out[name][size]["elements_mae_mev"]
            print(f"{name}, {size} frames: {mae:.2f} meV per element", flush=True)
    return out


def main() -> None:
    """Compute, write ethanol.md, .json and .png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--keep", type=int, default=100, help="features per irrep and order")
    arguments = parser.parse_args()
    frames = frames_of("CCO", arguments.frames, Level("pbe", "def2-svp"), 500.0, name="ethanol")
    targets = {
        "full Fock matrix": (frames.layout, frames.fock, frames.overlap),
        "projected": (OperatorLayout({1: (0,), 6: (0, 1), 8: (0, 1)}), frames.projected(), None),
    }
    found = {
        f"{target}, {model}": errors
        for target, (layout, matrices, overlaps) in targets.items()
        for model, errors in curves(layout, frames, matrices, overlaps, arguments.keep).items()
    }
    keys = ("elements_mae_mev", "occupied_mae_mev", "occupied_rmse_mev", "lumo_mae_mev")
    rows = [
        [name, size, *(f"{errors[key]:.2f}" for key in keys)]
        for name, by in found.items()
        for size, errors in by.items()
    ]
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        f"Errors on {min(N_TEST, arguments.frames // 3)} test frames. Occupied levels of the full "
        "matrix include the core.",
        report.table(
            [
                "target",
                "frames",
                "elements, MAE / meV",
                "occupied, MAE / meV",
                "occupied, RMSE / meV",
                "LUMO, MAE / meV",
            ],
            rows,
        ),
        "Published mean absolute errors of the elements of the full matrix, trained on 25 000 "
        "frames of another trajectory: "
        + ", ".join(f"{k.split(',')[0]} {v:g} meV" for k, v in PUBLISHED_MEV.items())
        + ".",
        "![learning curves](ethanol.png)",
    ]
    panels = [
        Panel(
            "training frames",
            f"{title} MAE / meV",
            {n: (list(by), [e[key] for e in by.values()], "o-") for n, by in found.items()},
            lines=lines,
        )
        for key, title, lines in (
            ("elements_mae_mev", "matrix elements", PUBLISHED_MEV),
            ("occupied_mae_mev", "occupied levels", None),
        )
    ]
    save(figure_of(panels), report.HERE / "ethanol.png")
    report.write(
        "ethanol",
        "Ethanol: learning curves of the Fock matrix",
        sections,
        {"frames": arguments.frames, "keep": arguments.keep, "errors": found},
    )


if __name__ == "__main__":
    main()
