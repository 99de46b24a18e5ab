"""The Tamm-Dancoff eigenproblem: small matrices are diagonalised, large ones are never stored.

A model space of the lowest configurations, in which A is exact, gives the Davidson iteration
its start and its preconditioner; the rest of the matrix is seen through products A X only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.linalg

from mlsemi.errors import ConvergenceError
from mlsemi.excited.completeness import Linear
from mlsemi.excited.davidson import converged_block, lowest_eigenpairs
from mlsemi.excited.interaction import Interaction, diagonal, interaction_matrix, respond
from mlsemi.excited.orbitals import response_orbitals
from mlsemi.orbitals.eigen import ElectronicState

DENSE_LIMIT = 300
"""Up to this many configurations the full matrix is diagonalised; above, Davidson is faster
(20 roots, one thread: 225 configurations 4 against 6 ms, 576: 20 against 8, 1073: 97 against 15).
"""

DENSE_SHARE, DENSE_SHARE_LIMIT = 0.2, 4000
"""It is also diagonalised when this share of all roots is wanted, up to a size that fits."""

MODEL_SIZE, MODEL_MINIMUM = 4, 120
"""Configurations of the model space, per root and at least."""

SINGLE_ABOVE, SINGLE_RESIDUAL = 3000, 1e-4
"""Above so many configurations an iteration begins in single precision, to this residual."""

MEMORY = 2_000_000_000
"""Bytes that the vectors of an iteration and their images may take."""

DEGENERATE = 1e-6
"""Orbital energies closer than this (hartree) enter the model space together, and roots closer
than this are one level."""

NEGLIGIBLE = 1e-12
"""Norm, relative to a cotangent of norm one, of what is left out of the response of a root."""

NEAREST = 0.02
"""Least distance (hartree) of a diagonal element from a root in a preconditioner."""


class Solution(NamedTuple):
    """Roots of a response problem, lowest first.

    Attributes
    ----------
    energies : (k,) array
        Hartree.
    excitations : (k, n_configuration) array
        X.
    deexcitations : (k, n_configuration) array or None
        Y of the full response.
    errors : (k,) array or None
        What the configurations left out lower each root by, to second order, hartree.
    window : tuple of int arrays or None
        Occupied and virtual orbitals, counted within their space, whose configurations X runs
        over; None: all.
    """

    energies: np.ndarray
    excitations: np.ndarray
    deexcitations: np.ndarray | None = None
    errors: np.ndarray | None = None
    window: tuple[np.ndarray, np.ndarray] | None = None

    def first(self, n_root: int) -> Solution:
        """The lowest ``n_root`` roots."""
        Y, errors = (None if part is None else part[:n_root] for part in self[2:4])
        X = self.excitations[:n_root]
        return Solution(self.energies[:n_root], X, Y, errors, self.window)


Solve = Callable[[int, float], Solution]


def solve_below(
    solve: Solve, diagonal: np.ndarray, max_energy: float, n_most: int | None, tolerance: float
) -> Solution:
    """All (at most ``n_most``) roots up to ``max_energy``; grows until one lies above.

    Parameters
    ----------
    solve : callable
        (number of roots, tolerance) -> Solution.
    diagonal : (n_configuration,) array
        Of the matrix, for a first guess of how many roots there are.
    max_energy : float
        Hartree.
    n_most : int or None
    tolerance : float
        Residual norm, hartree.
    """
    most = diagonal.size if n_most is None else min(n_most, diagonal.size)
    wanted = min(most, int((diagonal <= max_energy).sum()) + 4)
    while True:
        found = solve(wanted, tolerance)
        if found.energies.size >= most or wanted == most or found.energies[-1] > max_energy:
            return found.first(int((found.energies <= max_energy).sum()))
        wanted = min(most, wanted + wanted // 2 + 4)


class TammDancoff:
    """The eigenproblem of theory eq 9 for one state, interaction and multiplicity."""

    def __init__(self, state: ElectronicState, between: Interaction, factor: float) -> None:
        self.between, self.factor = between, factor
        self.orbitals = response_orbitals(state, between)
        self.occupied, self.virtual = self.orbitals.occupied, self.orbitals.virtual
        self.n_occ, self.n_vir = self.occupied.shape[1], self.virtual.shape[1]
        self.n_configuration = self.n_occ * self.n_vir
        self.gaps = self.orbitals.gaps.ravel()
        self.families = _families(self.orbitals.occupied_energies, self.orbitals.virtual_energies)

    @cached_property
    def diagonal(self) -> np.ndarray:
        """(n_configuration,) diagonal of A without one-center terms; it only guides iterations."""
        if not self.n_configuration:
            return self.gaps
        kind = np.float32 if self.n_configuration > SINGLE_ABOVE else np.float64
        orbitals = self.occupied.astype(kind), self.virtual.astype(kind)
        return np.asarray(self.gaps + diagonal(self.between, *orbitals, self.factor).ravel())

    def solve(self, n_root: int, tolerance: float) -> Solution:
        """Lowest ``n_root`` roots (all there are, if fewer)."""
        n_root = min(n_root, self.n_configuration)
        if n_root == 0:
            return Solution(np.empty(0), np.empty((0, self.n_configuration)))
        if self.is_small(n_root):
            values, vectors = self.model(np.arange(self.n_configuration), n_root)
            return Solution(values, np.ascontiguousarray(vectors.T))
        start, precondition = self.beginning(n_root)
        half = None
        if self.n_configuration > SINGLE_ABOVE:
            # most of the way in single precision: half the time for products and vectors
            half = self.in_single_precision()
            block = converged_block(
                half, precondition, start.astype(np.float32), n_root,
                max(SINGLE_RESIDUAL, tolerance), memory=MEMORY,
            )  # fmt: skip
            start = block.vectors().astype(np.float64)
        return Solution(
            *lowest_eigenpairs(
                self.apply, precondition, start, n_root, tolerance, memory=MEMORY, single=half
            )
        )

    def is_small(self, n_root: int) -> bool:
        """Whether the full matrix is the faster way to so many roots."""
        many = self.n_configuration <= min(DENSE_SHARE_LIMIT, n_root / DENSE_SHARE)
        return many or self.n_configuration <= DENSE_LIMIT

    def beginning(self, n_root: int) -> tuple[np.ndarray, ModelInverse]:
        """Start vectors (n_block, n_configuration) and preconditioner of an iteration."""
        # the extra roots make room for roots that rise late and for degenerate ones at the end
        n_block = min(self.n_configuration, n_root + max(4, n_root // 5))
        chosen = self.families_first(-self.diagonal, max(MODEL_SIZE * n_block, MODEL_MINIMUM))
        values, vectors = self.model(chosen, chosen.size)
        start = np.zeros((n_block, self.n_configuration))
        start[:, chosen] = vectors[:, :n_block].T
        return start, ModelInverse(self.diagonal, chosen, values, vectors)

    def vectors_adjoint(
        self, energies: np.ndarray, vectors: np.ndarray, vectors_bar: np.ndarray
    ) -> np.ndarray:
        """Adjoint of the eigenvectors: z_k = -(A - w_k)^+ X_bar_k, so that dL = sum_k z_k dA X_k.

        The found states are summed over; on the rest, which lies above them, A - w_k is positive
        and conjugate gradients solve. States closer than ``DEGENERATE`` do not mix into each other.

        Parameters
        ----------
        energies : (k,) array
            The lowest roots, all of them.
        vectors : (k, n_configuration) array
            X_k.
        vectors_bar : (k, n_configuration) array
            dL/dX_k at fixed norm; rows of zeros cost nothing.

        Returns
        -------
        (k, n_configuration) array

        Raises
        ------
        ConvergenceError
            If the iteration does not converge.
        """
        distance = energies[None, :] - energies[:, None]
        other = np.abs(distance) >= DEGENERATE
        inverse = np.divide(1.0, distance, out=np.zeros_like(distance), where=other)
        z = -((vectors_bar @ vectors.T) * inverse) @ vectors

        def outside(x: np.ndarray) -> np.ndarray:
            return x - (x @ vectors.T) @ vectors

        from scipy.sparse.linalg import LinearOperator, cg  # slow to import

        for k, right in enumerate(outside(vectors_bar)):
            # what symmetry leaves of a right-hand side is rounding
            negligible = NEGLIGIBLE * max(1.0, float(np.linalg.norm(vectors_bar[k])))
            if np.linalg.norm(right) <= negligible or len(vectors) == self.n_configuration:
                continue
            w = energies[k]
            step = 1.0 / np.maximum(self.diagonal - w, NEAREST)
            shape = (self.n_configuration, self.n_configuration)
            matrix = LinearOperator(
                shape, lambda x, w=w: outside(self.apply(x[None])[0] - w * x), dtype=np.float64
            )
            inverse_diagonal = LinearOperator(
                shape, lambda x, step=step: outside(step * outside(x)), dtype=np.float64
            )
            solution, failed = cg(
                matrix, right, rtol=1e-10, atol=negligible, maxiter=500, M=inverse_diagonal
            )
            if failed:
                raise ConvergenceError("the response of an excited state does not converge")
            z[k] -= solution
        return z

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """A x for the rows of ``vectors``."""
        X = vectors.reshape(-1, self.n_occ, self.n_vir)
        image = respond(self.between, self.occupied, self.virtual, X, self.factor)
        return image.reshape(vectors.shape) + self.gaps * vectors

    def in_single_precision(self) -> Linear:
        """:meth:`apply` in single precision."""
        return SinglePrecision(self).apply

    def couplings(self, chosen: np.ndarray) -> np.ndarray:
        """A among the ``chosen`` configurations, without the orbital energies."""
        configurations = chosen // self.n_vir, chosen % self.n_vir
        orbitals = self.occupied, self.virtual
        return interaction_matrix(self.between, *orbitals, configurations, self.factor)

    def model(self, chosen: np.ndarray, n_root: int) -> tuple[np.ndarray, np.ndarray]:
        """Lowest eigenpairs (columns) of A restricted to the ``chosen`` configurations."""
        matrix = self.couplings(chosen)
        matrix[np.diag_indices_from(matrix)] += self.gaps[chosen]
        try:
            if n_root == chosen.size:
                return scipy.linalg.eigh(matrix, check_finite=False, driver="evd")
            return scipy.linalg.eigh(matrix, subset_by_index=(0, n_root - 1), check_finite=False)
        except np.linalg.LinAlgError as error:
            raise ConvergenceError(f"the excited-state eigensolver failed: {error}") from None

    def families_first(self, importance: np.ndarray, n_least: int) -> np.ndarray:
        """The most important configurations, completed by their degenerate families.

        Whole families keep the symmetry of the molecule: orbitals that are degenerate may be
        rotated among each other without changing the space.
        """
        most = np.full(self.families.max() + 1, -np.inf)
        np.maximum.at(most, self.families, importance)
        order = np.argsort(-most, kind="stable")
        total = np.cumsum(np.bincount(self.families, minlength=most.size)[order])
        taken = np.zeros(most.size, bool)
        taken[order[: int(np.searchsorted(total, n_least)) + 1]] = True
        return np.flatnonzero(taken[self.families])


class SinglePrecision:
    """Products with the matrix of a problem in single precision."""

    def __init__(self, problem: TammDancoff) -> None:
        self.problem = problem
        self.occupied, self.virtual, self.gaps = (
            a.astype(np.float32) for a in (problem.occupied, problem.virtual, problem.gaps)
        )

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """A x for the rows of ``vectors``, single precision."""
        problem = self.problem
        X = vectors.reshape(-1, problem.n_occ, problem.n_vir)
        image = respond(problem.between, self.occupied, self.virtual, X, problem.factor)
        return image.reshape(vectors.shape) + self.gaps * vectors

    def among(self, chosen: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """A x for rows that vanish outside the ``chosen`` configurations, for half the work."""
        problem = self.problem
        occ, i = np.unique(chosen // problem.n_vir, return_inverse=True)
        vir, a = np.unique(chosen % problem.n_vir, return_inverse=True)
        X = np.zeros((len(vectors), occ.size, vir.size), np.float32)
        X[:, i, a] = vectors[:, chosen]
        few, every = (self.occupied[:, occ], self.virtual[:, vir]), (self.occupied, self.virtual)
        image = respond(problem.between, few[0], few[1], X, problem.factor, every)
        return image.reshape(vectors.shape) + self.gaps * vectors


def _families(occupied: np.ndarray, virtual: np.ndarray) -> np.ndarray:
    """Number the (degenerate occupied level, degenerate virtual level) pairs."""
    occ = np.cumsum(np.diff(occupied, prepend=occupied[:1]) > DEGENERATE)
    vir = np.cumsum(np.diff(virtual, prepend=virtual[:1]) > DEGENERATE)
    n_level = vir[-1] + 1 if vir.size else 0
    return (occ[:, None] * n_level + vir[None, :]).ravel()


@dataclass(frozen=True, eq=False)
class ModelInverse:
    """-(A_model - w)^-1 with A exact in the model space and diagonal outside."""

    diagonal: np.ndarray
    chosen: np.ndarray
    values: np.ndarray
    vectors: np.ndarray

    def __call__(self, residual: np.ndarray, energies: np.ndarray) -> np.ndarray:
        """Corrections for residuals at approximate energies."""
        step = np.empty(residual.shape, np.result_type(residual, self.diagonal))
        for row, r, energy in zip(step, residual, energies, strict=True):
            np.divide(-r, _away_from_zero(self.diagonal - energy), out=row)
        inside = residual[:, self.chosen] @ self.vectors
        inside /= _away_from_zero(self.values[None, :] - energies[:, None])
        step[:, self.chosen] = -inside @ self.vectors.T
        return step

    def definite(self, energy: float, kind: np.dtype) -> Linear:
        """|A_model - w|^-1, which is positive definite."""
        outer, inner = (
            (1.0 / np.abs(_away_from_zero(a - energy))).astype(kind)
            for a in (self.diagonal, self.values)
        )
        vectors = self.vectors.astype(kind, copy=False)

        def inverse(residual: np.ndarray) -> np.ndarray:
            step = residual * outer
            step[:, self.chosen] = ((residual[:, self.chosen] @ vectors) * inner) @ vectors.T
            return step

        return inverse


def _away_from_zero(denominator: np.ndarray) -> np.ndarray:
    return np.copysign(np.maximum(np.abs(denominator), 0.005), denominator)
