"""Long range: decay of interaction energies, and a polarizability that grows cooperatively.

    python validation/long_range.py

Dimers (NH4+ HCOO-, H2O H2CO, CH4 CH4; rigid, turned at random, Hartree-Fock/def2-SVP with
counterpoise, the apolar pair with DFT-D4 dispersion) are learnt at distances of the centers below
6 angstrom and predicted from 6 to 15 angstrom. Chains (H2)_n (Hartree-Fock/6-31G**) are learnt up
to n = 6 and predicted up to n = 14; gaps between the molecules are 1.6 angstrom, each dipole
enhances the others and the polarizability per molecule more than doubles along the series.

Models are linear (ridge, alpha by cross-validation over runs of increasing distance, squared errors
of dimers weighted with R^8), the same but for their features, which for dimers are those of the
dimer less those of its molecules alone:

- local: rho_i^1 and rho_i^2 within 6 angstrom,
- potential p = 1, 4, 6: products of rho_i^1 (within 2.6 angstrom) with the potential V_i of the
  smeared density to that power, which has no cutoff, and rho_i^1, rho_i^2 within 4 angstrom,
- all: the three potentials together.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import report
from dimers import PAIRS, Chains, Dimers, chains, dimers, monomer
from panels import Panel, figure_of

from mlsemi.draw.plots import save
from mlsemi.representations.correlations import AtomFeatures
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.learning.cartesian import CartesianRegressor
from mlsemi.representations.learning.ridge import SymmetryRidgeCV
from mlsemi.representations.learning.samples import block_of, structure_records
from mlsemi.representations.long_range_tables import LongRangeTable
from mlsemi.representations.neighbours import Points
from mlsemi.representations.radial_tables import point_functions
from mlsemi.symmetry.products import Product
from mlsemi.symmetry.radial import RadialBasis
from mlsemi.symmetry.selection import covariance, principal_maps
from mlsemi.symmetry.tensors import SCALAR, Irrep, Tensors, joined, mapped
from mlsemi.units import BOHR_ANGSTROM, HARTREE_EV

N_TRAIN, N_TEST = 120, 60
LOCAL_ANGSTROM, SHORT_ANGSTROM, CENTER_ANGSTROM = 6.0, 4.0, 2.6
SPHERE, WIDTH = 4.0, 0.8
"""Sphere around each atom in which potentials are expanded, width of the smeared atoms; bohr."""
MODELS = {
    "local": (),
    "potential p = 1": (1,),
    "potential p = 4": (4,),
    "potential p = 6": (6,),
    "all potentials": (1, 4, 6),
}
CHAIN_MODELS = {
    "local": (),
    "potential p = 1": (1,),
    "potential p = 3": (3,),
    "both potentials": (1, 3),
}
LENGTHS = [1, 2, 3, 4, 5, 6], [8, 10, 12, 14]
TAIL_POWER = 4
"""Samples count with R to this power: short-range repulsion would outweigh everything else."""
EDGES_ANGSTROM = (6.0, 8.0, 10.5, 15.0)
MEV = 1000.0 * HARTREE_EV


class Features:
    """Features of structures of the same elements, fitted to training structures."""

    def __init__(
        self,
        structures: Sequence[Points],
        powers: Sequence[int],
        irreps: Sequence[Irrep],
        n_keep: int = 8,
    ) -> None:
        self.irreps = tuple(irreps)
        self.elements = elements = tuple(
            sorted({z for s in structures for z in s.numbers.tolist()})
        )
        cutoff = (SHORT_ANGSTROM if powers else LOCAL_ANGSTROM) / BOHR_ANGSTROM
        density = Expansion(elements, point_functions(RadialBasis(8, cutoff), 4))
        self.local = AtomFeatures.fit(structures, density, 2, 2, 30)
        near = RadialBasis(6, CENTER_ANGSTROM / BOHR_ANGSTROM)
        self.center = Expansion(elements, point_functions(near, 3))
        self.potentials = [
            Expansion(elements, LongRangeTable.of(p, SPHERE, 3, WIDTH)) for p in powers
        ]
        rho = self.center(self.center.neighbours(structures))
        self.maps = principal_maps({i: covariance(v) for i, v in rho.items()}, n_keep)
        self.products = [
            Product.all(*self._factors(v, structures), self.irreps) for v in self.potentials
        ]
        self.scale = [1.0] * (1 + len(self.potentials))
        self.scale = [1.0 / self._spread(part, structures) for part in self._parts(structures)]

    def _factors(
        self, potential: Expansion, structures: Sequence[Points]
    ) -> tuple[Tensors, Tensors]:
        """rho_i with a constant scalar beside it, and V_i."""
        rho = dict(mapped(self.center(self.center.neighbours(structures)), self.maps))
        one = np.ones((*rho[SCALAR].shape[:2], 1))
        rho[SCALAR] = np.concatenate([one, rho[SCALAR]], axis=2)
        return rho, potential(potential.neighbours(structures))

    def _parts(self, structures: Sequence[Points]) -> list[dict[Irrep, np.ndarray]]:
        wanted = set(self.irreps)
        local = joined(self.local(structures))
        parts = [{i: v for i, v in local.items() if i in wanted}]
        for potential, product in zip(self.potentials, self.products, strict=True):
            parts.append(product(*self._factors(potential, structures)))
        return [
            {i: factor * v for i, v in part.items()}
            for factor, part in zip(self.scale, parts, strict=True)
        ]

    def _spread(self, part: Tensors, structures: Sequence[Points]) -> float:
        """Root mean square of the features summed over atoms, their mean taken off."""
        total = 0.0
        for irrep, value in part.items():
            sums = np.add.reduceat(value, _start(structures)[:-1], axis=0)
            rest = sums - sums.mean(axis=0) if irrep == SCALAR else sums
            total += float(np.mean(np.sum(rest**2, axis=(1, 2))))
        return float(np.sqrt(total)) or 1.0

    def __call__(self, structures: Sequence[Points]) -> np.ndarray:
        """Record array, one sample per structure."""
        numbers = np.concatenate([s.numbers for s in structures])
        species = np.searchsorted(self.elements, numbers)
        return structure_records(joined(self._parts(structures)), _start(structures), species)


def _start(structures: Sequence[Points]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum([len(s.numbers) for s in structures])])


def points(data: Dimers, atoms: slice = slice(None)) -> list[Points]:
    """Structures of all dimers, or of the same atoms of each."""
    return [Points(data.numbers[atoms], x[atoms]) for x in data.positions]


def interaction_features(features: Features, data: Dimers, n_first: int) -> np.ndarray:
    """(n, 1, 1, n_feature) features of the dimers less those of their molecules alone."""
    parts = [slice(None), slice(n_first), slice(n_first, None)]
    together = features([point for part in parts for point in points(data, part)])
    ab, a, b = np.split(block_of(together, SCALAR).sum(axis=1, keepdims=True), 3)
    return ab - a - b


def dimer_predictions(
    train: Dimers, test: Dimers, n_first: int, powers: Sequence[int]
) -> np.ndarray:
    """Interaction energies of the test dimers; zero for features that see no neighbour."""
    order = np.argsort(train.distance)
    train = train._replace(**{k: getattr(train, k)[order] for k in train._fields[1:]})
    features = Features(points(train), powers, (SCALAR,))
    model = SymmetryRidgeCV()
    weight = (train.distance / train.distance.max()) ** TAIL_POWER
    rows = interaction_features(features, train, n_first)
    model.fit(weight[:, None, None, None] * rows, weight * train.energy)
    return model.predict(interaction_features(features, test, n_first))


def decay(distance: np.ndarray, energy: np.ndarray) -> float:
    """Exponent k of (mean E^2)^1/2 ~ R^-k over bins of the distance."""
    edges = np.array(EDGES_ANGSTROM) / BOHR_ANGSTROM
    r, size = [], []
    for low, high in pairwise(edges):
        inside = (distance >= low) & (distance < high)
        r.append(np.exp(np.log(distance[inside]).mean()))
        size.append(np.sqrt(np.mean(energy[inside] ** 2)))
    return -float(np.polyfit(np.log(r), np.log(np.maximum(size, 1e-300)), 1)[0])


def chain_predictions(train: Chains, test: Chains, powers: Sequence[int]) -> np.ndarray:
    """Polarizability tensors of the test chains."""
    structures, far = (
        [Points(np.ones(len(x), int), x) for x in c.positions] for c in (train, test)
    )
    features = Features(structures, powers, (SCALAR, Irrep(2, 1)))
    model = CartesianRegressor(SymmetryRidgeCV())
    return model.fit(features(structures), train.polarizability).predict(features(far))


def dimer_results() -> dict[str, dict[str, object]]:
    """Per kind of dimer: reference and every model's decay, relative error and energies."""
    out: dict[str, dict[str, object]] = {}
    for kind in PAIRS:
        train, test = dimers(kind, "train", N_TRAIN), dimers(kind, "test", N_TEST)
        size = float(np.sqrt(np.mean(test.energy**2)))
        n_first = monomer(PAIRS[kind][0]).numbers.size
        models = {}
        for name, powers in MODELS.items():
            energy = dimer_predictions(train, test, n_first, powers)
            models[name] = {
                "energy_mev": (MEV * energy).tolist(),
                "relative_error": float(np.sqrt(np.mean((energy - test.energy) ** 2))) / size,
                "decay": decay(test.distance, energy),
            }
        out[kind] = {
            "distance_angstrom": (BOHR_ANGSTROM * test.distance).tolist(),
            "energy_mev": (MEV * test.energy).tolist(),
            "decay": decay(test.distance, test.energy),
            "models": models,
        }
    return out


def chain_results() -> dict[str, object]:
    """Polarizability along the chain per molecule: reference and every model."""
    train, test = chains(LENGTHS[0], 6), chains(LENGTHS[1], 2)
    n_molecule = [len(x) // 2 for x in test.positions]
    out: dict[str, object] = {
        "molecules": n_molecule,
        "reference": (test.polarizability[:, 2, 2] / n_molecule).tolist(),
        "train_molecules": [len(x) // 2 for x in train.positions],
        "train": [
            a[2, 2] / (len(x) // 2)
            for a, x in zip(train.polarizability, train.positions, strict=True)
        ],
    }
    models = {}
    for name, powers in CHAIN_MODELS.items():
        found = chain_predictions(train, test, powers)[:, 2, 2]
        error = np.abs(found / test.polarizability[:, 2, 2] - 1.0)
        models[name] = {
            "predicted": (found / n_molecule).tolist(),
            "relative_error": float(error.mean()),
        }
    out["models"] = models
    return out


def main() -> None:
    """Compute, write long_range.md, .json and .png."""
    pairs, line = dimer_results(), chain_results()
    rows = []
    for kind, data in pairs.items():
        rows.append([kind, "reference", "", f"{data['decay']:.2f}"])
        for name, model in data["models"].items():
            found = f"{model['decay']:.2f}" if model["decay"] < 20.0 else "-"
            rows.append([kind, name, f"{model['relative_error']:.1%}", found])
    sections = [
        __doc__.split("\n\n", 2)[2].strip(),
        f"Interaction energies beyond 6 angstrom ({N_TEST} dimers of each kind, {N_TRAIN} nearer "
        "for training): root mean square error over root mean square energy, and the exponent k "
        "of |E| ~ R^-k between 6 and 15 angstrom (not given where energies vanish):",
        report.table(["dimer", "features", "error", "k"], rows),
        "Polarizability of the chains of 8 to 14 molecules, along the chain: mean relative error:",
        report.table(
            ["features", "error"],
            [[name, f"{m['relative_error']:.1%}"] for name, m in line["models"].items()],
        ),
        "![decay](long_range.png)",
    ]
    panels = [dimer_panel(kind, data) for kind, data in pairs.items()] + [chain_panel(line)]
    save(figure_of(panels), report.HERE / "long_range.png")
    report.write("long_range", "Long range", sections, {"dimers": pairs, "chains": line})


def dimer_panel(kind: str, data: dict[str, object]) -> Panel:
    """Size of the energy against the distance."""
    r = np.array(data["distance_angstrom"])
    best = min(data["models"], key=lambda name: data["models"][name]["relative_error"])
    curves = {"reference": (r, np.abs(data["energy_mev"]), "o")}
    for name in ("local", best):
        energy = np.abs(data["models"][name]["energy_mev"])
        curves[name] = (r, np.maximum(energy, 1e-6), "x" if name == best else ".")
    return Panel("R / angstrom", "|E| / meV", curves, title=f"{kind}, R^-{data['decay']:.1f}")


def chain_panel(line: dict[str, object]) -> Panel:
    """Polarizability per molecule against the length."""
    n = line["train_molecules"] + line["molecules"]
    curves = {"reference": (n, line["train"] + line["reference"], "o")}
    for name, model in line["models"].items():
        curves[name] = (line["molecules"], model["predicted"], "x")
    return Panel("molecules in the chain", "polarizability per H2 / bohr^3", curves, "")


if __name__ == "__main__":
    main()
