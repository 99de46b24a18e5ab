"""Very large molecules: configurations selected by second-order perturbation theory.

The matrix is diagonalised among selected configurations only. One product with the full matrix
tells what each of the others would lower each root by, e_uk = (A X_k)_u^2 / (A_uu - w_k)
(Huron, Malrieu, Rancurel, J. Chem. Phys. 58, 5745 (1973); for simplified Tamm-Dancoff Grimme,
J. Chem. Phys. 138, 244104 (2013)). Those that lower all roots together by more than a threshold
join; what the rest lowers each root by is added to its energy and stated. All products are in
single precision: its errors are far below those of the selection.
"""

from __future__ import annotations

import numpy as np

from mlsemi.davidson import lowest_eigenpairs
from mlsemi.monopoles import potential_between, respond, transition_density
from mlsemi.tamm_dancoff import MEMORY, ModelInverse, SinglePrecision, Solution, TammDancoff

FIRST, FIRST_MINIMUM = 20, 400
"""Configurations to begin with, per root and at least."""

STORED = 800
"""Up to so many selected configurations their matrix is built; above, only products with it."""

CLOSEST = 1e-3
"""Smallest A_uu - w (hartree) in the denominators."""

FEW = 0.02
"""The selection ends when less than this share of configurations would join."""

RESIDUAL = 1e-4
"""Tolerance of the iteration, hartree: the energies are good to 1e-6."""

BATCH = 4
"""Roots that are multiplied with the full matrix at a time: their vectors are long."""


class Selected:
    """A Tamm-Dancoff problem among configurations that lower the roots by more than a threshold.

    Parameters
    ----------
    problem : TammDancoff
    threshold : float
        Hartree.
    """

    def __init__(self, problem: TammDancoff, threshold: float) -> None:
        self.problem, self.threshold = problem, threshold
        self.single = SinglePrecision(problem)

    def solve(self, n_root: int, tolerance: float) -> Solution:
        """Lowest ``n_root`` roots; energies include what is left out, to second order."""
        problem = self.problem
        n_root = min(n_root, problem.n_configuration)
        if n_root == 0:
            return problem.solve(0, tolerance)
        first = max(FIRST * n_root, FIRST_MINIMUM)
        chosen = problem.lowest_configurations(min(first, problem.n_configuration))
        while True:
            active = _Active(self.single, chosen)
            energies, vectors = self._among(active, n_root, max(tolerance, RESIDUAL))
            coupling, each = self._left_out(active, energies, vectors)
            # whole families join, and roots count together: degenerate ones stay degenerate
            families = problem.families[each > self.threshold]
            joining = np.flatnonzero(np.isin(problem.families, families))
            if joining.size <= FEW * chosen.size:
                break
            chosen = np.union1d(chosen, joining)
        # roots that are close mix through what is left out
        corrected, mixing = np.linalg.eigh(np.diag(energies) - coupling)
        X = np.zeros((n_root, problem.n_configuration))
        X[:, chosen] = mixing.T @ vectors
        return Solution(corrected, X, None, np.einsum("lk,lm,mk->k", mixing, coupling, mixing))

    def _left_out(
        self, active: _Active, energies: np.ndarray, vectors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the configurations that are not chosen do to second order.

        Returns
        -------
        (n_root, n_root) symmetric array, sum_u (A X_k)_u (A X_l)_u of the mean of
        1 / (A_uu - w_k) and 1 / (A_uu - w_l), and (n_configuration,) array of sums of e_uk.
        """
        problem, single = self.problem, self.single
        images = np.empty((energies.size, problem.n_configuration), np.float32)
        for k in range(0, energies.size, BATCH):
            density = transition_density(
                active.occupied, active.virtual, active.square(vectors[k : k + BATCH])
            )
            image = potential_between(
                problem.between, density, single.occupied, single.virtual, problem.factor
            )
            images[k : k + BATCH] = image.reshape(len(image), -1)
        images[:, active.chosen] = 0.0
        coupling = np.empty((energies.size, energies.size))
        each = np.zeros(problem.n_configuration)
        for k, energy in enumerate(energies):
            weighted = images[k] / np.maximum(problem.diagonal - energy, CLOSEST)
            coupling[k] = images @ weighted.astype(np.float32)
            each += images[k] * weighted
        return 0.5 * (coupling + coupling.T), each

    def _among(
        self, active: _Active, n_root: int, tolerance: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lowest roots among the chosen configurations: energies, vectors as rows."""
        problem, chosen = self.problem, active.chosen
        if chosen.size <= STORED:
            values, vectors = problem.model(chosen, n_root)
            return values, vectors.T
        n_block = n_root + max(4, n_root // 5)
        lowest = np.argsort(problem.diagonal[chosen], kind="stable")[: 8 * n_block]
        place = np.sort(lowest)
        values, vectors = problem.model(chosen[place], place.size)
        start = np.zeros((n_block, chosen.size), np.float32)
        start[:, place] = vectors[:, :n_block].T
        inverse = ModelInverse(problem.diagonal[chosen], place, values, vectors)
        return lowest_eigenpairs(active.apply, inverse, start, n_root, tolerance, memory=MEMORY)


class _Active:
    """Chosen configurations, and the orbitals that take part in them."""

    def __init__(self, single: SinglePrecision, chosen: np.ndarray) -> None:
        problem = single.problem
        occupied, i = np.unique(chosen // problem.n_vir, return_inverse=True)
        virtual, a = np.unique(chosen % problem.n_vir, return_inverse=True)
        self.chosen, self.problem = chosen, problem
        self.shape, self.flat = (occupied.size, virtual.size), i * virtual.size + a
        self.occupied = np.ascontiguousarray(single.occupied[:, occupied])
        self.virtual = np.ascontiguousarray(single.virtual[:, virtual])
        self.gaps = single.gaps[chosen]

    def square(self, vectors: np.ndarray) -> np.ndarray:
        """(k, n_occ, n_vir) amplitudes of the active orbitals, single precision."""
        X = np.zeros((len(vectors), self.shape[0] * self.shape[1]), np.float32)
        X[:, self.flat] = vectors
        return X.reshape(-1, *self.shape)

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """A x among the chosen configurations, for the rows of ``vectors``."""
        between, factor = self.problem.between, self.problem.factor
        image = respond(between, self.occupied, self.virtual, self.square(vectors), factor)
        return image.reshape(len(vectors), -1)[:, self.flat] + self.gaps * vectors
