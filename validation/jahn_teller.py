"""Exact degeneracy and linear Jahn-Teller splitting of benzene's pi levels.

    python validation/jahn_teller.py [--frames 40]

The pi block of the Hamiltonian (six 2pz orbitals) has the levels a2u, e1g (HOMO), e2u (LUMO), b2g.
Three models predict the valence Hamiltonian from the same features rho_i^2, rho_ij^2:

- equivariant, random weights: every weight of every irrep drawn from a normal distribution,
- equivariant, trained on projected Hamiltonians (B3LYP/def2-SVP, PySCF) of thermal frames (500 K),
- a control without symmetry: random weights as the first, but other ones for every component m,
  so that the prediction depends on how the molecule is turned.

The distortion is of e2g symmetry: CH groups move along their radius by Q cos 2 phi. By symmetry
both pairs split linearly in Q (e x e = a1 + a2 + e2g).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse

import numpy as np
import report
from panels import Panel, figure_of
from scipy.spatial.transform import Rotation
from symmetry import benzene
from thermal_frames import calculate, frames_of, projected

from mlsemi.draw.plots import save
from mlsemi.molecule.structure import Structure
from mlsemi.representations.learning.block_features import BlockFeatures
from mlsemi.representations.learning.hamiltonian import OperatorRegressor
from mlsemi.representations.learning.operators import OperatorLayout
from mlsemi.representations.learning.ridge import SymmetryRidge
from mlsemi.training.reference.calculation import Level
from mlsemi.units import BOHR_ANGSTROM, HARTREE_EV

LAYOUT = OperatorLayout({1: (0,), 6: (0, 1)})
SMILES = "c1ccccc1"
LEVEL = Level("b3lyp", "def2-svp")
TOLERANCE = 1e-10
"""What counts as degenerate, hartree."""
SMALL_ANGSTROM = 10.0 ** np.arange(-4.0, -1.9, 0.5)
LARGE_ANGSTROM = np.linspace(-0.06, 0.06, 7)
TURN = Rotation.from_euler("zyz", [0.4, 0.7, 1.1]).as_matrix()
"""The molecule stands askew: a model that is not equivariant must not profit from its axes."""


class ByComponent:
    """Control: a linear model whose weights differ between the components m."""

    def __init__(self, n_component: int, n_feature: int, n_target: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.weights = rng.normal(size=(n_component, n_feature, n_target)) / np.sqrt(n_feature)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """(n, m, t) predictions."""
        return np.einsum("nmq,mqt->nmt", x, self.weights)


def distorted(q_angstrom: float) -> Structure:
    """Benzene with its CH groups moved by Q cos 2 phi along their radius, turned."""
    flat = benzene()
    x = flat.positions
    phi = np.arctan2(x[:, 1], x[:, 0])
    radial = x / np.linalg.norm(x, axis=1)[:, None]
    q = q_angstrom / BOHR_ANGSTROM
    return Structure(flat.numbers, (x + q * np.cos(2.0 * phi)[:, None] * radial) @ TURN.T)


def pi_orbitals() -> np.ndarray:
    """(6, n_orbital) carbon p functions along the normal; s, then p in the order y, z, x."""
    normal = TURN[:, 2][[1, 2, 0]]
    out = np.zeros((6, LAYOUT.size(benzene().numbers)))
    for c in range(6):
        out[c, 4 * c + 1 : 4 * c + 4] = normal
    return out


def pair_splittings(matrix: np.ndarray) -> tuple[float, float]:
    """Gaps inside e1g and e2u: the two pi levels with the largest part in e^i phi, e^2i phi."""
    pi = pi_orbitals()
    energies, vectors = np.linalg.eigh(pi @ matrix @ pi.T)
    phi = np.pi / 3.0 * np.arange(6)
    gaps = []
    for k in (1, 2):
        pair = np.stack([np.cos(k * phi), np.sin(k * phi)]) / np.sqrt(3.0)
        weight = np.sum((pair @ vectors) ** 2, axis=0)
        gaps.append(float(np.ptp(energies[np.argsort(weight)[-2:]])))
    return gaps[0], gaps[1]


def reference(structure: Structure) -> np.ndarray:
    """Projected valence Hamiltonian of the reference level."""
    row = calculate(structure, LEVEL)
    return projected(structure, row["amplitudes"], row["energies"])


def randomised(model: OperatorRegressor, seed: int) -> OperatorRegressor:
    """Random weights: of the irreps as they are, the same for all m."""
    for n, estimator in enumerate(model.estimators_.values()):
        rng = np.random.default_rng([seed, n])
        estimator.coef_ = rng.normal(size=estimator.coef_.shape) / np.sqrt(len(estimator.coef_))
    return model


def control(model: OperatorRegressor, seed: int) -> OperatorRegressor:
    """The same shapes with weights that depend on m."""
    for n, (key, estimator) in enumerate(model.estimators_.items()):
        shape = (2 * key.l + 1, *estimator.coef_.shape)
        model.estimators_[key] = ByComponent(*shape, seed=100 * seed + n)
    return model


def splittings(
    model: OperatorRegressor, features: BlockFeatures, q_angstrom: np.ndarray
) -> np.ndarray:
    """(n_q, 2) splittings of e1g and e2u, hartree."""
    blocks = features.transform([distorted(q) for q in q_angstrom])
    return np.array([pair_splittings(m) for m in model.predict(blocks)])


def slopes(splitting: np.ndarray, q_angstrom: np.ndarray) -> list[float]:
    """Exponents of the splitting as a power of Q, e1g and e2u."""
    logs = np.log(q_angstrom)
    return [float(np.polyfit(logs, np.log(s), 1)[0]) for s in splitting.T]


def main() -> None:
    """Compute, write jahn_teller.md, .json and .png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=40)
    n_frame = parser.parse_args().frames
    frames = frames_of(SMILES, n_frame, LEVEL, 500.0, name="benzene")
    features = BlockFeatures(LAYOUT, nu=2, cutoff=10.0, n_radial=6, l_density=3, n_keep=40)
    x = features.fit(frames.structures).transform(frames.structures)
    matrices = frames.projected()
    models = {"equivariant, trained": OperatorRegressor(LAYOUT).fit(x, matrices)}
    fitted = [OperatorRegressor(LAYOUT, SymmetryRidge()).fit(x[:4], matrices[:4]) for _ in "ab"]
    models["equivariant, random weights"] = randomised(fitted[0], 1)
    models["control, random weights"] = control(fitted[1], 1)

    flat = {name: splittings(m, features, np.zeros(1))[0] for name, m in models.items()}
    small = {name: splittings(m, features, SMALL_ANGSTROM) for name, m in models.items()}
    large = splittings(models["equivariant, trained"], features, LARGE_ANGSTROM)
    truth = np.array([pair_splittings(reference(distorted(q))) for q in LARGE_ANGSTROM])
    exponent = {name: slopes(s, SMALL_ANGSTROM) for name, s in small.items()}
    error = 1000.0 * HARTREE_EV * np.abs(large - truth).max(axis=0)
    rows = [
        [name, *(f"{v:.1e}" for v in flat[name]), *(f"{v:.4f}" for v in exponent[name])]
        for name in models
    ]
    sections = [
        __doc__.split("\n\n", 2)[2].strip(),
        "Splitting of the pairs in D6h, and the exponent k of splitting = c Q^k for Q from 1e-4 "
        "to 1e-2 angstrom:",
        report.table(
            ["model", "e1g / hartree", "e2u / hartree", "exponent e1g", "exponent e2u"], rows
        ),
        f"Trained model against the reference along Q = -0.06 .. 0.06 angstrom: largest error of "
        f"the splitting {error[0]:.1f} meV (e1g) and {error[1]:.1f} meV (e2u), of up to "
        f"{1000 * HARTREE_EV * truth[:, 0].max():.0f} and "
        f"{1000 * HARTREE_EV * truth[:, 1].max():.0f} meV; {n_frame} training frames, none of "
        "which is symmetric.",
        "![splittings](jahn_teller.png)",
    ]
    ev = 1000.0 * HARTREE_EV
    panels = [
        Panel(
            "Q / angstrom",
            "e1g splitting / hartree",
            {name: (SMALL_ANGSTROM, s[:, 0], "o-") for name, s in small.items()},
        ),
        Panel(
            "Q / angstrom",
            "splitting / meV",
            {
                "e1g, model": (LARGE_ANGSTROM, ev * large[:, 0], "-"),
                "e1g, reference": (LARGE_ANGSTROM, ev * truth[:, 0], "o"),
                "e2u, model": (LARGE_ANGSTROM, ev * large[:, 1], "-"),
                "e2u, reference": (LARGE_ANGSTROM, ev * truth[:, 1], "s"),
            },
            logarithmic="",
        ),
    ]
    save(figure_of(panels), report.HERE / "jahn_teller.png")
    data = {
        "frames": n_frame,
        "splitting_hartree": {name: list(v) for name, v in flat.items()},
        "exponent": exponent,
        "q_angstrom": list(LARGE_ANGSTROM),
        "model_hartree": large.tolist(),
        "reference_hartree": truth.tolist(),
    }
    report.write("jahn_teller", "Degeneracy and Jahn-Teller splitting", sections, data)
    kept = [max(v) for name, v in flat.items() if not name.startswith("control")]
    if max(kept) > TOLERANCE or min(flat["control, random weights"]) < TOLERANCE:
        raise SystemExit("degeneracies are not as expected")


if __name__ == "__main__":
    main()
