"""Ethanol's full Fock matrix as potentials of its atoms: the learning curve, and what limits it.

    python validation/ethanol_potentials.py [--frames 174]

Frames, level (PBE/def2-SVP) and 72 x 72 matrices are those of [ethanol](ethanol.md); the last fifth
of the shuffled frames is for the test. In place of blocks of pairs, F - T + sum Z / r is a sum of
Coulomb potentials of Gaussians on the atoms (11 exponents of degree 0, 6 of degree 1, 5 of degree
2), whose coefficients are linear in the first Q principal components of equivariant features of the
atom (rho_i^1 and rho_i^2; a constant beside them for degree 0). The weights are one least-squares
problem on elements of the matrices themselves, the diagonal and 328 others drawn at random from
each frame, slightly damped. Q = 0 is a superposition of spherical atomic potentials: 33 numbers,
nothing learnt about environments. Features are contracted on 25 training frames, components on 100.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse

import numpy as np
import report
from atomic_potentials import EXPONENTS, Components, integrals_of
from panels import Panel, figure_of
from thermal_frames import Frames, frames_of

from mlsemi.draw.plots import save
from mlsemi.representations.correlations import AtomFeatures
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.radial_tables import point_functions
from mlsemi.symmetry.radial import RadialBasis
from mlsemi.symmetry.tensors import Tensors, joined
from mlsemi.training.reference.calculation import Level
from mlsemi.units import HARTREE_EV

BASIS = "def2-svp"
SIZES = (35, 70, 140, 280, 560)
COMPONENTS = (0, 4, 8, 16, 24, 40)
N_FIT, N_COMPONENT, N_DRAWN, N_TESTED = 25, 100, 328, 20
DAMPING, FREE_DAMPING = 1e-9, 1e-13
MEV = 1000.0 * HARTREE_EV
BY_BLOCKS_MEV = {
    "blocks, linear": {100: 12.69, 200: 11.85, 800: 11.19},
    "blocks, products": {100: 7.85, 200: 6.12, 800: 4.22},
}
"""Mean absolute errors of `ethanol.py`, which learns blocks of pairs (other test frames)."""


class Problem:
    """Normal equations of the weights, and the matrices of test frames."""

    def __init__(self, frames: Frames, train: np.ndarray) -> None:
        self.frames = frames
        self.numbers = frames.structures[0].numbers
        density = Expansion((1, 6, 8), point_functions(RadialBasis(8, 12.0), 5))
        seen = [frames.structures[i] for i in train[:N_FIT]]
        self.atoms = AtomFeatures.fit(seen, density, 2, 4, 60, 600)
        known = [frames.structures[i] for i in train[:N_COMPONENT]]
        inside = joined(self.atoms(known))
        self.components = Components.fit(np.tile(self.numbers, len(known)), inside, max(COMPONENTS))

    def features(self, index: int) -> Tensors:
        """Features of one frame, both orders."""
        return joined(self.atoms([self.frames.structures[index]]))

    def rows(
        self, index: int, chosen: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Columns of all weights, and targets, of some elements of one frame."""
        bare, potentials = integrals_of(self.frames.structures[index], BASIS, chosen)
        parts = self.components.columns(self.numbers, self.features(index), potentials)
        x = np.concatenate([part.reshape(len(bare), -1) for part in parts.values()], axis=1)
        return x, self.frames.fock[index][chosen] - bare

    def used(self, n_component: int) -> np.ndarray:
        """Which weights belong to the first components alone."""
        out = []
        for _, l in self.components.maps:
            constant = int(l == 0)
            order = np.arange(max(COMPONENTS) + constant) < n_component + constant
            out.append(np.tile(order, len(EXPONENTS[l])))
        return np.flatnonzero(np.concatenate(out))


def drawn(index: int, n_orbital: int) -> tuple[np.ndarray, np.ndarray]:
    """Diagonal of one frame, and elements of the upper triangle at random."""
    first, second = np.triu_indices(n_orbital, 1)
    chosen = np.random.default_rng(index).permutation(first.size)[:N_DRAWN]
    diagonal = np.arange(n_orbital)
    return np.append(diagonal, first[chosen]), np.append(diagonal, second[chosen])


def shells() -> np.ndarray:
    """Kind of each of ethanol's orbitals: 0 core, 1 valence, 2 the second set, 3 polarisation."""
    heavy = [0, 1, 2, *[1] * 3, *[2] * 3, *[3] * 5]
    return np.array(heavy * 3 + [1, 2, 3, 3, 3] * 6)


KINDS = ("core", "valence", "second valence", "polarisation")


def main() -> None:
    """Compute, write ethanol_potentials.md, .json and .png."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=174)
    n_frame = parser.parse_args().frames
    frames = frames_of("CCO", n_frame, Level("pbe", BASIS), 500.0, name="ethanol")
    order = np.random.default_rng(0).permutation(n_frame)
    n_test = n_frame // 5
    train, test = order[:-n_test], order[-n_test:][:N_TESTED]
    problem = Problem(frames, train)
    sizes = [size for size in SIZES if size <= train.size]
    n_orbital = frames.fock.shape[1]
    gram, right, snapshots = 0.0, 0.0, {}
    for n, index in enumerate(train[: sizes[-1]], 1):
        x, y = problem.rows(index, drawn(index, n_orbital))
        gram, right = gram + x.T @ x, right + x.T @ y
        if n in sizes:
            snapshots[n] = solutions(problem, gram, right)
            print(f"{n} frames", flush=True)
    upper = np.triu_indices(n_orbital)
    rest: dict[tuple[int, int], list[np.ndarray]] = {}
    for index in test:
        x, y = problem.rows(index, upper)
        for size, by in snapshots.items():
            for n_component, (used, weights) in by.items():
                error = np.zeros((n_orbital, n_orbital))
                error[upper] = np.abs(y - x[:, used] @ weights)
                rest.setdefault((n_component, size), []).append(np.maximum(error, error.T))
    mean = {key: MEV * np.mean(value, axis=0) for key, value in rest.items()}
    free = float(np.mean([free_error(frames, index) for index in test[:3]]))
    write(mean, sizes, n_frame, len(test), free)


def solutions(
    problem: Problem, gram: np.ndarray, right: np.ndarray
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Weights for every number of components."""
    out = {}
    for n_component in COMPONENTS:
        used = problem.used(n_component)
        matrix = gram[np.ix_(used, used)]
        damping = DAMPING * np.trace(matrix) / used.size
        out[n_component] = used, np.linalg.solve(matrix + damping * np.eye(used.size), right[used])
    return out


def free_error(frames: Frames, index: int) -> float:
    """What the potentials leave of one matrix if nothing binds their coefficients, meV."""
    upper = np.triu_indices(frames.fock.shape[1])
    bare, potentials = integrals_of(frames.structures[index], BASIS, upper)
    twice = np.where(upper[0] == upper[1], 1.0, 2.0)
    x, y = potentials.reshape(len(bare), -1), frames.fock[index][upper] - bare
    gram = x.T @ (twice[:, None] * x)
    damping = FREE_DAMPING * np.trace(gram) / len(gram) * np.eye(len(gram))
    found = np.linalg.solve(gram + damping, x.T @ (twice * y))
    return MEV * float(np.average(np.abs(y - x @ found), weights=twice))


def write(
    mean: dict[tuple[int, int], np.ndarray],
    sizes: list[int],
    n_frame: int,
    n_test: int,
    free: float,
) -> None:
    """Tables and figure."""
    kind = shells()
    best = min(mean, key=lambda key: mean[key].mean())
    by_kind = {
        f"{KINDS[a]}, {KINDS[b]}": float(mean[best][np.ix_(kind == a, kind == b)].mean())
        for a in range(4)
        for b in range(a, 4)
    }
    errors = {f"{q}, {size}": float(value.mean()) for (q, size), value in mean.items()}
    sections = [
        " ".join(__doc__.split("\n\n", 2)[2].split()),
        f"Mean absolute error of all elements, meV, {n_test} test frames:",
        report.table(
            ["training frames", *(f"Q = {q}" for q in COMPONENTS)],
            [[size, *(f"{errors[f'{q}, {size}']:.2f}" for q in COMPONENTS)] for size in sizes],
        ),
        "Learnt as blocks of pairs ([ethanol](ethanol.md)): "
        + "; ".join(
            f"{name} " + ", ".join(f"{v} ({n} frames)" for n, v in by.items())
            for name, by in BY_BLOCKS_MEV.items()
        )
        + ".",
        f"The error of the best one (Q = {best[0]}, {best[1]} frames) by kinds of orbitals:",
        report.table(["block", "meV"], [[name, f"{v:.2f}"] for name, v in by_kind.items()]),
        "With Q fixed the curve is flat from some frames on, with few frames large Q are noise: "
        "what limits is the number of components together with the number of frames. With free "
        f"coefficients in every frame the potentials themselves leave {free:.2f} meV.",
        "![learning curves](ethanol_potentials.png)",
    ]
    curves = {
        f"potentials, Q = {q}": (sizes, [errors[f"{q}, {size}"] for size in sizes], "o-")
        for q in COMPONENTS
    } | {name: (list(by), list(by.values()), "s--") for name, by in BY_BLOCKS_MEV.items()}
    save(
        figure_of([Panel("training frames", "matrix elements MAE / meV", curves)]),
        report.HERE / "ethanol_potentials.png",
    )
    report.write(
        "ethanol_potentials",
        "Ethanol: the Fock matrix as potentials of atoms",
        sections,
        {"frames": n_frame, "test": n_test, "errors": errors, "kinds": by_kind, "free": free},
    )


if __name__ == "__main__":
    main()
