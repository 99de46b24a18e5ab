"""Full linear response, sTD-DFT: excitations and de-excitations.

theory eq 9b: (A B; B A)(X; Y) = w (1 0; 0 -1)(X; Y), or with Z = X + Y, W = X - Y

    (A + B) Z = w W,   (A - B) W = w Z,   Z.W = 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlsemi.excited.completeness import Linear
from mlsemi.excited.interaction import respond_swapped
from mlsemi.excited.paired_davidson import lowest_pairs, reduced_pairs
from mlsemi.excited.tamm_dancoff import ModelInverse, Solution, TammDancoff

BATCH = 256
"""Unit vectors that are multiplied at a time where both matrices are built."""


class FullResponse:
    """The eigenproblem of theory eq 9b, on the orbitals and integrals of a Tamm-Dancoff one."""

    def __init__(self, problem: TammDancoff) -> None:
        self.problem = problem

    def solve(self, n_root: int, tolerance: float) -> Solution:
        """Lowest ``n_root`` roots (all there are, if fewer).

        Raises
        ------
        ConvergenceError
            If the ground state is unstable, or the iteration does not converge.
        """
        size = self.problem.n_configuration
        n_root = min(n_root, size)
        if n_root == 0:
            return Solution(np.empty(0), np.empty((0, size)), np.empty((0, size)))
        if self.problem.is_small(n_root):
            energies, Z, W = reduced_pairs(*self._matrices(), n_root)
            Z, W = Z.T, W.T
        else:
            start, inverse = self.problem.beginning(n_root)
            precondition = _PairedInverse(inverse)
            energies, Z, W = lowest_pairs(self.apply, precondition, start, n_root, tolerance)
        return Solution(energies, 0.5 * (Z + W), 0.5 * (Z - W))

    def apply(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(A + B) x and (A - B) x for the rows of ``vectors``."""
        problem = self.problem
        X = vectors.reshape(-1, problem.n_occ, problem.n_vir)
        direct = problem.apply(vectors)
        swapped = respond_swapped(
            problem.between, problem.occupied, problem.virtual, X, problem.factor
        ).reshape(vectors.shape)
        return direct + swapped, direct - swapped

    def _matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """A + B and A - B, from products with unit vectors."""
        unit = np.eye(self.problem.n_configuration)
        parts = [self.apply(unit[k : k + BATCH]) for k in range(0, len(unit), BATCH)]
        plus, minus = (np.concatenate(side) for side in zip(*parts, strict=True))
        return plus, minus


@dataclass(frozen=True, eq=False)
class _PairedInverse:
    """Steps from the residuals of X, -(A_model - w)^-1, and of Y, -(D + w)^-1."""

    inverse: ModelInverse

    def __call__(
        self, plus: np.ndarray, minus: np.ndarray, energies: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Steps of X and Y from the residuals (A + B) Z - w W and (A - B) W - w Z."""
        of_x = self.inverse(0.5 * (plus + minus), energies)
        of_y = -0.5 * (plus - minus) / (self.inverse.diagonal[None, :] + energies[:, None])
        return of_x, of_y

    def definite(self, energy: float, kind: np.dtype) -> Linear:
        """The same, positive definite, of rows (X, Y)."""
        of_x = self.inverse.definite(energy, kind)
        of_y = (1.0 / (self.inverse.diagonal + energy)).astype(kind)

        def inverse(residual: np.ndarray) -> np.ndarray:
            x, y = np.split(residual, 2, axis=1)
            return np.concatenate([of_x(x), y * of_y], axis=1)

        return inverse
