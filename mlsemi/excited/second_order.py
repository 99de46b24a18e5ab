"""Large molecules: an iteration that ends where second-order perturbation theory does the rest.

Of Ritz pairs w_k, X_k with residuals r_k, and the steps c_k = -(A_0 - w_k)^-1 r_k that an iteration
would take next, the energies are the eigenvalues of

    w_k delta_kl + (r_k.c_l + c_k.r_l) / 2

and the vectors mixtures of X_k + c_k (Loewdin's partitioning to second order). What this lowers a
root by is several times the error that is left. So an iteration in single precision can end when
that is 1.5e-3 eV, after two or three products with each vector, where small residuals take eight
and more, a third of them in double precision. Products with the first vectors cost half, since few
orbitals take part in them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlsemi.errors import ConvergenceError
from mlsemi.excited.completeness import AGAIN, Linear
from mlsemi.excited.davidson import ATTEMPTS, Precondition, lower_directions
from mlsemi.excited.interaction import diagonal
from mlsemi.excited.subspace import SINGLE, Subspace, orthonormal
from mlsemi.excited.tamm_dancoff import (
    MEMORY,
    ModelInverse,
    SinglePrecision,
    Solution,
    TammDancoff,
)

ALLOWED, EXTRA = 5.5e-5, 3.0
"""What a wanted root may be lowered by to second order in the end (hartree, 1.5e-3 eV), and how
many times more the other roots of the block may."""

FALLING = 0.5
"""Share of the last change of an energy that counts as much: steps underestimate what lies close
above, and what is missing still falls when they are small."""

MARGIN = 3e-5
"""The last wanted root may lie so far (hartree, 8e-4 eV) above where it should be."""

TOGETHER = 1e-5
"""Roots closer than this (hartree) stay in the iteration as long as one of them does."""

MODEL_SIZE, MODEL_MINIMUM = 6, 240
"""Configurations of the model space, per root and at least."""

MOST = 60
"""Iterations; three or four are usual."""


class Corrected:
    """Roots of a large Tamm-Dancoff problem, good to 1e-3 eV (`validation/speed_singlets.md`)."""

    def __init__(self, problem: TammDancoff) -> None:
        self.problem = problem

    def solve(self, n_root: int, tolerance: float) -> Solution:
        """Lowest ``n_root`` roots; if the full matrix is faster, to this ``tolerance``."""
        problem = self.problem
        if n_root == 0 or problem.is_small(n_root):
            return problem.solve(n_root, tolerance)
        half, more = SinglePrecision(problem), max(4, n_root // 5)
        n_open = min(problem.n_configuration, n_root + more)
        n_start = min(problem.n_configuration, n_open + more)
        # exchange is a small part of the diagonal, and would take as long as some products
        guide = half.gaps + diagonal(problem.between, half.occupied, half.virtual, 0.0).ravel()
        chosen = problem.families_first(-guide, max(MODEL_SIZE * n_start, MODEL_MINIMUM))
        values, vectors = (a.astype(np.float32) for a in problem.model(chosen, chosen.size))
        start = np.zeros((n_start, problem.n_configuration), np.float32)
        start[:, chosen] = vectors[:, :n_start].T
        image = half.among(chosen, start)
        inverse = ModelInverse(guide, chosen, values, vectors)
        return Solution(*corrected_eigenpairs(half.apply, inverse, start, image, n_root, n_open))


class SecondOrder(NamedTuple):
    """Ritz pairs of a subspace, and what the next steps would make of them.

    Attributes
    ----------
    values : (k,) array
        Ritz values.
    small : (m, k) array
        Ritz vectors over the basis, columns.
    steps : (k, n) array
        The step of each pair.
    energies, lowered : (k,) arrays
        To second order, ascending, and what that has lowered each by; hartree.
    mixing : (k, k) array
        Mixtures of the pairs, columns.
    """

    values: np.ndarray
    small: np.ndarray
    steps: np.ndarray
    energies: np.ndarray
    lowered: np.ndarray
    mixing: np.ndarray

    @classmethod
    def of(cls, space: Subspace, precondition: Precondition, n_block: int) -> SecondOrder:
        """Of the lowest pairs."""
        values, small = space.lowest(n_block)
        residuals, _ = space.residuals(values, small, np.arange(values.size))
        steps = precondition(residuals, values)
        coupling = (residuals @ steps.T).astype(np.float64)
        coupling = 0.5 * (coupling + coupling.T)
        energies, mixing = np.linalg.eigh(np.diag(values) + coupling)
        lowered = -np.einsum("lk,lm,mk->k", mixing, coupling, mixing)
        return cls(values, small, steps, energies, lowered, mixing.astype(steps.dtype))

    def steps_of(self, roots: np.ndarray) -> np.ndarray:
        """Steps of mixtures, rows."""
        return np.asarray(self.mixing[:, roots].T @ self.steps)

    def vectors(self, space: Subspace, n_root: int) -> np.ndarray:
        """The lowest mixtures with their steps, orthonormal rows."""
        lowest = np.arange(n_root)
        rows = (self.small @ self.mixing[:, lowest]).T @ space.basis + self.steps_of(lowest)
        values, turn = np.linalg.eigh((rows @ rows.T).astype(np.float64))
        return np.asarray(((turn / np.sqrt(values)) @ turn.T).astype(rows.dtype) @ rows)

    def unfinished(self, before: np.ndarray, n_root: int, n_open: int) -> np.ndarray:
        """Roots that are not good enough yet; none if those wanted are.

        Parameters
        ----------
        before : (m,) array
            Energies one iteration ago, as far as there were any.
        n_root, n_open : int
            Roots that are wanted, and the most that are opened.

        Returns
        -------
        int array
        """
        change = np.full(self.energies.size, np.inf)
        n = min(before.size, change.size)
        change[:n] = np.abs(self.energies[:n] - before[:n])
        open_by = np.maximum(np.abs(self.lowered), FALLING * change)
        near = np.abs(self.energies[:, None] - self.energies) < TOGETHER
        late = (near & (open_by > ALLOWED)).any(axis=1)
        if not late[:n_root].any():
            return np.empty(0, int)
        late[n_root:] = open_by[n_root:] > EXTRA * ALLOWED
        return np.flatnonzero(late[:n_open])

    def beside(
        self, space: Subspace, vectors: np.ndarray, n_below: int, energy: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """What is known beside the roots below an energy.

        Parameters
        ----------
        space : Subspace
        vectors : (n_root, n) array
            Of the wanted roots.
        n_below : int
            How many of them lie below.
        energy : float
            Hartree.

        Returns
        -------
        (m, n) array of vectors, (m,) array of their distances from the energy.
        """
        n_root = len(vectors)
        others = self.small[:, n_root:].T @ space.basis
        levels = np.concatenate([self.energies[n_below:n_root], self.values[n_root:]])
        return np.concatenate([vectors[n_below:], others]), np.abs(levels - energy)


def corrected_eigenpairs(
    apply: Linear,
    precondition: Precondition,
    start: np.ndarray,
    image: np.ndarray,
    n_root: int,
    n_open: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Lowest eigenpairs to second order, none missing whatever symmetry the start has.

    In the end :func:`mlsemi.excited.completeness.missed` looks for eigenvalues below the last
    wanted one less ``MARGIN``, beside the roots that lie below; so it also finds the last one
    itself where that is still falling.

    Parameters
    ----------
    apply : callable
        (k, n) vectors -> (k, n) images A x, in single precision.
    precondition : Precondition
    start, image : (n_start, n) arrays
        Orthonormal guess, n_start >= n_open, and its images.
    n_root, n_open : int
        Roots that are wanted, and the most that steps are taken for.

    Returns
    -------
    (n_root,) ascending energies and (n_root, n) orthonormal vectors.

    Raises
    ------
    ConvergenceError
        If the iteration does not converge, or roots are still missing in the end.
    """
    n_block, n = start.shape
    space = Subspace(n, n_block, SINGLE, MEMORY)
    fresh, attempt, before = start, 0, np.empty(0)
    for _ in range(MOST):
        space.add(fresh, image)
        block = SecondOrder.of(space, precondition, n_block)
        steps = block.steps_of(block.unfinished(before, n_root, n_open))
        before = block.energies
        if not len(steps):
            vectors, up_to = block.vectors(space, n_root), float(before[n_root - 1]) - MARGIN
            n_below = int(np.searchsorted(before[:n_root], up_to))
            beside = block.beside(space, vectors, n_below, up_to)
            # what is found first is mostly one falling root, with no others like it
            again = AGAIN if attempt > 1 else 0
            steps = lower_directions(
                apply, precondition, vectors[:n_below], beside, up_to, attempt, again
            )
            if not len(steps):
                return before[:n_root], vectors
            attempt, n_block, n_open = attempt + 1, n_block + len(steps), n_open + len(steps)
        if attempt == ATTEMPTS:
            break
        if len(steps) > space.room:
            space.restart(block.values, block.small)
        fresh = orthonormal(steps, space.basis)[: space.room]
        image = apply(fresh)
    raise ConvergenceError(
        f"the lowest {n_root} excited states did not converge; ask for a few more or fewer, or for "
        "exact ones"
    )
