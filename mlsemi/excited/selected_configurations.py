"""Very large molecules: configurations selected by second-order perturbation theory.

The matrix is diagonalised among selected configurations only. One product with the full matrix
tells what each of the others would lower each root by, e_uk = (A X_k)_u^2 / (A_uu - w_k)
(Huron, Malrieu, Rancurel, J. Chem. Phys. 58, 5745 (1973); for simplified Tamm-Dancoff Grimme,
J. Chem. Phys. 138, 244104 (2013)). What they lower each root by together is added to its energy
and stated; where that exceeds a threshold, the most important ones join. All products are in
single precision, and A_uu is taken without its small exchange part: the errors of both are far
below those of the selection.
"""

from __future__ import annotations

import numpy as np

from mlsemi.excited.completeness import missed
from mlsemi.excited.davidson import lowest_eigenpairs
from mlsemi.excited.interaction import Interaction, diagonal, respond
from mlsemi.excited.tamm_dancoff import MEMORY, ModelInverse, Solution, TammDancoff

FIRST, FIRST_MINIMUM = 40, 400
"""Configurations to begin with, per root and at least."""

STORED = 600
"""Up to so many selected configurations their matrix is built; above, only products with it."""

CLOSEST = 1e-3
"""Smallest A_uu - w (hartree) in the denominators."""

MORE = 4
"""One root in so many more, and at least so many, is followed: some rise only through PT2."""

ABSENT = 3e-4
"""Amplitude below which active orbitals do not count on a function: energies are good to its
square."""

RESIDUAL = 1e-4
"""Tolerance of the iteration, hartree: the energies are good to 1e-6."""


class Selected:
    """A Tamm-Dancoff problem among the configurations that matter.

    Parameters
    ----------
    problem : TammDancoff
    threshold : float
        What those left out may lower each root by, to second order, hartree.
    """

    def __init__(self, problem: TammDancoff, threshold: float) -> None:
        self.problem, self.threshold = problem, threshold
        turned = (
            in_principal_axes(problem.between, c) for c in (problem.occupied, problem.virtual)
        )
        self.occupied, self.virtual = (c.astype(np.float32) for c in turned)
        orbitals = self.occupied, self.virtual
        self.diagonal = problem.gaps + diagonal(problem.between, *orbitals, 0.0).ravel()

    def solve(self, n_root: int, tolerance: float) -> Solution:
        """Lowest ``n_root`` roots; energies include what is left out, to second order."""
        n = self.problem.n_configuration
        n_root = min(n_root, n)
        if n_root == 0:
            return self.problem.solve(0, tolerance)
        importance = -self.diagonal
        chosen = self.problem.families_first(importance, max(FIRST * n_root, FIRST_MINIMUM))
        n_block, attempt = n_root + max(MORE, n_root // MORE), 0
        while True:
            active = _Active(self, chosen)
            energies, vectors = self._among(active, n_root, n_block, max(tolerance, RESIDUAL))
            coupling, each = self._left_out(active, energies, vectors)
            # roots that are close mix through what is left out
            corrected, mixing = np.linalg.eigh(np.diag(energies) - coupling)
            mixing = mixing[:, :n_root]
            errors = np.einsum("lk,lm,mk->k", mixing, coupling, mixing)
            if chosen.size == n:
                break
            if errors.max() <= self.threshold:
                lower = self._lower(active, vectors, corrected[n_root - 1] - errors.max(), attempt)
                if not lower.size:
                    break
                attempt, n_block = attempt + 1, n_block + len(lower)
                each = np.einsum("ku,ku->u", lower, lower)
            each[chosen] = np.inf
            chosen = self.problem.families_first(each, 2 * chosen.size)
        X = active.square(mixing.T @ vectors).reshape(n_root, -1)
        return Solution(corrected[:n_root], X.astype(float), None, errors, active.window)

    def _left_out(
        self, active: _Active, energies: np.ndarray, vectors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What the configurations that are not chosen do to second order.

        Returns
        -------
        (n_root, n_root) symmetric array, sum_u (A X_k)_u (A X_l)_u of the mean of
        1 / (A_uu - w_k) and 1 / (A_uu - w_l), and (n_configuration,) array of sums of e_uk.
        """
        images = active.respond(vectors, (self.occupied, self.virtual)).reshape(energies.size, -1)
        images[:, active.chosen] = 0.0
        above = self.diagonal.astype(np.float32)
        weighted = np.empty_like(images)
        for k, energy in enumerate(energies):
            np.maximum(above - np.float32(energy), np.float32(CLOSEST), out=weighted[k])
        np.divide(images, weighted, out=weighted)
        coupling = (weighted @ images.T).astype(float)
        return 0.5 * (coupling + coupling.T), np.einsum("ku,ku->u", images, weighted)

    def _among(
        self, active: _Active, n_root: int, n_block: int, tolerance: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lowest roots among the chosen configurations: energies, vectors as rows.

        ``n_block`` or more, since the last of ``n_root`` may change places through the others.
        """
        chosen = active.chosen
        n_block = min(chosen.size, n_block)
        if chosen.size <= STORED:
            values, vectors = self.problem.model(chosen, n_block)
            return values, vectors.T
        inverse = self._inverse(chosen, 8 * n_block)
        start = np.zeros((n_block, chosen.size), np.float32)
        start[:, inverse.chosen] = inverse.vectors[:, :n_block].T
        return lowest_eigenpairs(
            active.apply, inverse, start, n_root, tolerance, memory=MEMORY, with_extra=True
        )

    def _inverse(self, configurations: np.ndarray, n_model: int) -> ModelInverse:
        """Preconditioner, exact among the lowest of some configurations."""
        diagonal = self.diagonal[configurations]
        place = np.sort(np.argsort(diagonal, kind="stable")[:n_model])
        values, vectors = self.problem.model(configurations[place], place.size)
        return ModelInverse(diagonal, place, values, vectors)

    def _lower(
        self, active: _Active, vectors: np.ndarray, energy: float, attempt: int
    ) -> np.ndarray:
        """Directions (m, n_configuration) of roots below ``energy`` that were missed.

        Among all configurations: symmetry may keep the chosen ones apart from all that such a
        root consists of.
        """
        problem, chosen, kind = self.problem, active.chosen, np.dtype(np.float32)
        n = problem.n_configuration
        inverse = self._inverse(np.arange(n), 8 * len(vectors))
        vectors, above = vectors.astype(kind), (problem.gaps - energy).astype(kind)

        def shifted(x: np.ndarray) -> np.ndarray:
            X = x.reshape(-1, problem.n_occ, problem.n_vir)
            image = respond(problem.between, self.occupied, self.virtual, X, problem.factor)
            return image.reshape(x.shape) + above * x

        def outside(x: np.ndarray) -> np.ndarray:
            x[:, chosen] -= (x[:, chosen] @ vectors.T) @ vectors
            return x

        return missed(
            shifted,
            inverse.definite(energy, kind),
            outside,
            outside,
            n,
            kind,
            attempt,
        )


class _Active:
    """Chosen configurations, and the orbitals that take part in them."""

    def __init__(self, selected: Selected, chosen: np.ndarray) -> None:
        problem = selected.problem
        occupied, i = np.unique(chosen // problem.n_vir, return_inverse=True)
        virtual, a = np.unique(chosen % problem.n_vir, return_inverse=True)
        self.chosen, self.problem, self.window = chosen, problem, (occupied, virtual)
        self.shape, self.flat = (occupied.size, virtual.size), i * virtual.size + a
        self.occupied = np.ascontiguousarray(selected.occupied[:, occupied])
        self.virtual = np.ascontiguousarray(selected.virtual[:, virtual])
        self.gaps = problem.gaps[chosen].astype(np.float32)
        self.rows = _present(self.occupied), _present(self.virtual)

    def square(self, vectors: np.ndarray) -> np.ndarray:
        """(k, n_occ, n_vir) amplitudes of the active orbitals, single precision."""
        X = np.zeros((len(vectors), self.shape[0] * self.shape[1]), np.float32)
        X[:, self.flat] = vectors
        return X.reshape(-1, *self.shape)

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """A x among the chosen configurations, for the rows of ``vectors``."""
        image = self.respond(vectors, None).reshape(len(vectors), -1)
        return image[:, self.flat] + self.gaps * vectors

    def respond(
        self, vectors: np.ndarray, onto: tuple[np.ndarray, np.ndarray] | None
    ) -> np.ndarray:
        """A x without the orbital energies, between the active orbitals or ``onto`` others."""
        return respond(
            self.problem.between,
            self.occupied,
            self.virtual,
            self.square(vectors),
            self.problem.factor,
            onto,
            self.rows,
        )


def _present(orbitals: np.ndarray) -> np.ndarray:
    """Functions on which some of the orbitals live."""
    return np.flatnonzero(np.abs(orbitals).max(axis=1) > ABSENT)


def in_principal_axes(between: Interaction, orbitals: np.ndarray) -> np.ndarray:
    """Orbitals in the frame of the molecule's principal axes.

    No integral changes, but the pi orbitals of a flat molecule live on one p function per atom.
    """
    apart = between.positions - between.positions.mean(axis=0)
    axes = np.linalg.svd(apart.T @ apart)[0].T
    order = np.array([1, 2, 0])  # of p functions: y, z, x
    p = between.p_orbital[between.p_orbital >= 0, None] + np.arange(3)
    out = orbitals.copy()
    out[p] = np.einsum("xy,ayk->axk", axes[order[:, None], order], orbitals[p])
    return out
