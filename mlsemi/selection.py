"""Very large molecules: configurations selected by second-order perturbation theory.

The matrix is diagonalised among selected configurations only. One product with the full matrix
tells what each of the others would lower each root by, e_uk = (A X_k)_u^2 / (A_uu - w_k)
(Huron, Malrieu, Rancurel, J. Chem. Phys. 58, 5745 (1973); for simplified Tamm-Dancoff Grimme,
J. Chem. Phys. 138, 244104 (2013)). Those that lower all roots together by
more than a threshold join; what the rest lowers each root by is added to its energy and stated.
"""

from __future__ import annotations

import numpy as np

from mlsemi.davidson import lowest_eigenpairs
from mlsemi.monopoles import respond
from mlsemi.tamm_dancoff import MEMORY, ModelInverse, Solution, TammDancoff

FIRST, FIRST_MINIMUM = 20, 400
"""Configurations to begin with, per root and at least."""

STORED = 2500
"""Up to so many selected configurations their matrix is built; above, only products with it."""

CLOSEST = 1e-3
"""Configurations whose diagonal lies less than this above a root (hartree) are always taken."""


class Selected:
    """A Tamm-Dancoff problem among configurations that lower a root by more than a threshold.

    Parameters
    ----------
    problem : TammDancoff
    threshold : float
        Hartree.
    """

    def __init__(self, problem: TammDancoff, threshold: float) -> None:
        self.problem, self.threshold = problem, threshold

    def solve(self, n_root: int, tolerance: float) -> Solution:
        """Lowest ``n_root`` roots; energies include what is left out, to second order."""
        problem = self.problem
        n_root = min(n_root, problem.n_configuration)
        if n_root == 0:
            return problem.solve(0, tolerance)
        first = max(FIRST * n_root, FIRST_MINIMUM)
        chosen = problem.lowest_configurations(min(first, problem.n_configuration))
        while True:
            energies, vectors = self._among(chosen, n_root, tolerance)
            coupling, each = self._left_out(chosen, energies, vectors)
            # whole families join, and roots count together: degenerate ones stay degenerate
            families = problem.families[each > self.threshold]
            if not families.size:
                break
            joining = np.flatnonzero(np.isin(problem.families, families))
            chosen = np.union1d(chosen, joining)
        # roots that are close mix through what is left out
        corrected, mixing = np.linalg.eigh(np.diag(energies) - coupling)
        X = np.zeros((n_root, problem.n_configuration))
        X[:, chosen] = mixing.T @ vectors
        return Solution(corrected, X, None, np.einsum("lk,lm,mk->k", mixing, coupling, mixing))

    def _left_out(
        self, chosen: np.ndarray, energies: np.ndarray, vectors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the configurations that are not chosen do to second order.

        Returns
        -------
        (n_root, n_root) symmetric array, sum_u (A X_k)_u (A X_l)_u of the mean of
        1 / (A_uu - w_k) and 1 / (A_uu - w_l), and (n_configuration,) array of sums of e_uk.
        """
        problem = self.problem
        images = np.zeros((energies.size, problem.n_configuration))
        images[:, chosen] = vectors
        for k in range(energies.size):  # one by one: the vectors are long
            images[k] = problem.apply(images[k : k + 1])[0]
        images[:, chosen] = 0.0
        distance = np.maximum(problem.diagonal[None, :] - energies[:, None], CLOSEST)
        weighted = images / distance
        coupling = images @ weighted.T
        return 0.5 * (coupling + coupling.T), np.einsum("ku,ku->u", images, weighted)

    def _among(
        self, chosen: np.ndarray, n_root: int, tolerance: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lowest roots among the chosen configurations: energies, vectors as rows."""
        problem = self.problem
        if chosen.size <= STORED:
            values, vectors = problem.model(chosen, n_root)
            return values, vectors.T
        n_block = n_root + max(4, n_root // 5)
        lowest = chosen[np.argsort(problem.diagonal[chosen], kind="stable")[: 8 * n_block]]
        values, vectors = problem.model(np.sort(lowest), lowest.size)
        place = np.searchsorted(chosen, np.sort(lowest))
        start = np.zeros((n_block, chosen.size))
        start[:, place] = vectors[:, :n_block].T
        inverse = ModelInverse(problem.diagonal[chosen], place, values, vectors)
        product = _Product(problem, chosen)
        return lowest_eigenpairs(product, inverse, start, n_root, tolerance, memory=MEMORY)


class _Product:
    """A x among chosen configurations, by way of the orbitals that take part in them."""

    def __init__(self, problem: TammDancoff, chosen: np.ndarray) -> None:
        occupied, i = np.unique(chosen // problem.n_vir, return_inverse=True)
        virtual, a = np.unique(chosen % problem.n_vir, return_inverse=True)
        self.shape = occupied.size, virtual.size
        self.flat = i * virtual.size + a
        self.between, self.factor = problem.between, problem.factor
        self.occupied = np.ascontiguousarray(problem.occupied[:, occupied])
        self.virtual = np.ascontiguousarray(problem.virtual[:, virtual])
        self.gaps = problem.gaps[chosen]

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """A x for the rows of ``vectors``."""
        X = np.zeros((len(vectors), self.shape[0] * self.shape[1]))
        X[:, self.flat] = vectors
        square = X.reshape(-1, *self.shape)
        image = respond(self.between, self.occupied, self.virtual, square, self.factor)
        return image.reshape(len(vectors), -1)[:, self.flat] + self.gaps * vectors
