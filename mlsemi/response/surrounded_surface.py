"""Energies and gradients of excited singlets whose surroundings are in equilibrium with them.

On the time scale of nuclei a solvent follows the state. To first order in the change of the charges
dq_k and with the orbitals in the field of the ground state, E_0 + W_k with

    W_k = w_k[H_o + M(u), gamma^K + K_fast] + 1/2 dq_k K dq_k                              (19a)

The vertical excitation has K_fast in the second term, the emission K_fast and twice K_slow
(:mod:`mlsemi.response.solvated_excitations`). Fields and point charges act through u alone.

Gradient: the excitation by :func:`mlsemi.excited.excitations.excite_adjoint`, its eigenvector by
``vectors_adjoint``; with u_bar the moments of the cotangent B of H_o + M(u), and
v = (gamma + K)(u_bar + x(v)), everything that u depends on has the cotangents of
lambda = u_bar + x(v): one linear system, as large as the one for u.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mlsemi.excited.excitations import (
    ExcitationCotangent,
    excite,
    over_gaps,
    vectors_adjoint,
)
from mlsemi.excited.interaction import Interaction
from mlsemi.excited.method import EXACT
from mlsemi.excited.states import Excitations
from mlsemi.kernels.response import transition_populations
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.response.coulomb import coulomb_adjoint, coulomb_hardness_adjoint
from mlsemi.response.difference_density import Response, ResponseCotangent
from mlsemi.response.solvated_excitations import DEGENERATE, SolvatedExcitations

LEAST = 1e-12
"""Least factor of a solvent that is divided by."""


@dataclass(frozen=True, eq=False)
class SurroundedStates:
    """Excited singlets of a closed shell in its surroundings, by energy W_k.

    Attributes
    ----------
    response : Response
        The ground state.
    between : Interaction
        With the linear response of the solvent.
    states : Excitations
        Their energies are W_k.
    bare : (n_state,) array
        w_k, hartree.
    """

    response: Response
    between: Interaction
    states: Excitations
    bare: np.ndarray

    @classmethod
    def lowest(
        cls, response: Response, between: Interaction, n_states: int, tolerance: float
    ) -> SurroundedStates:
        """The lowest singlets.

        Parameters
        ----------
        response : Response
        between : Interaction
            Without a solvent.
        n_states : int
        tolerance : float
            Residual norm, hartree.
        """
        solvated = SolvatedExcitations.of(response.embedding)
        if solvated is not None:
            between = solvated.interaction(between)
        found = excite(response.states[0], between, n_states, tolerance=tolerance, method=EXACT)
        own = cls(response, between, found, found.energies)
        levels = np.array([own.level(k) for k in range(found.n_state)])
        terms = [own.equilibrium(dq) for dq in levels @ own.charge_changes]
        energies = levels @ found.energies + np.array(terms)
        order = np.argsort(energies, kind="stable")
        states = replace(found, energies=energies).picked(order)
        return cls(response, between, states, found.energies[order])

    @property
    def ground(self) -> ElectronicState:
        """Orbitals in the surroundings."""
        return self.response.states[0]

    def level(self, k: int) -> np.ndarray:
        """(n_state,) equal weights of the states of one level, whose mean is what has a gradient.

        A cavity of points, which do not turn with the molecule, splits levels a little.
        """
        same = np.abs(self.bare - self.bare[k]) < DEGENERATE
        return same / same.sum()

    @property
    def charge_changes(self) -> np.ndarray:
        """(n_state, n_atom) dq_k, e."""
        n, C, X = self.ground.n_occupied, self.ground.orbitals, self.states.amplitudes
        particle = np.sum((X @ C[:, n:].T) ** 2, axis=1)
        hole = np.sum((np.swapaxes(X, 1, 2) @ C[:, :n].T) ** 2, axis=1)
        out = np.zeros((len(X), self.response.neutral.structure.n_atom))
        for k, change in enumerate(hole - particle):
            np.add.at(out[k], self.between.orbital_atom, change)
        return out

    def equilibrium(self, dq: np.ndarray) -> float:
        """1/2 dq K dq, hartree."""
        return 0.5 * float(np.sum(_charges(dq) * self.response.embedding.reaction(_charges(dq))))

    def emission(self, k: int) -> float:
        """w_k + 1/2 dq K_fast dq + dq K_slow dq of a level: light leaves, the solvent stays.

        Parameters
        ----------
        k : int
            Number of the state, counted from 0.
        """
        weights, solvent = self.level(k), self.response.embedding.surroundings.solvent
        late = 0.0 if solvent is None else 1.0 - solvent.fast_factor / max(solvent.factor, LEAST)
        followed = self.equilibrium(weights @ self.charge_changes)
        return float(self.states.energies[k]) + late * followed

    def cotangent(self, k: int) -> ResponseCotangent:
        """Gradient of W_k (of the mean of its level) by H_o, the learned dipoles, the positions.

        Parameters
        ----------
        k : int
            Number of the state, counted from 0.
        """
        weights = self.level(k)
        dq = _charges(weights @ self.charge_changes)
        bar, vectors, factors = self._excitation(weights, self.response.embedding.reaction(dq))
        positions = bar.positions + self._direct(dq, vectors, factors)
        response, embedding = self.response, self.response.embedding
        neutral, x, m = response.neutral, response.moment_change, response.moments
        u_bar = neutral.moments.of(bar.hamiltonian)
        v, answer = response.screened(u_bar)
        by_own = embedding.reaction(answer)
        matrix = bar.hamiltonian + response.induction.adjoint(v, response.potential)
        matrix = matrix + neutral.susceptibility.density_adjoint(neutral.moments.operator(by_own))
        given = neutral.structure.positions, response.hardness, np.outer(answer[:, 0], x[:, 0])
        positions = positions + coulomb_adjoint(*given)
        constants = response.constants.by_hardness(coulomb_hardness_adjoint(*given))
        # lambda.(phi + K m) is half the difference of two of the ground state's quadratic forms
        above, below = embedding.gradient(m + answer), embedding.gradient(m - answer)
        by_charges = None if above[1] is None or below[1] is None else 0.5 * (above[1] - below[1])
        positions = positions + 0.5 * (above[0] - below[0])
        return ResponseCotangent(matrix, by_own[:, 1:], positions, by_charges, constants)

    def _excitation(
        self, weights: np.ndarray, potential: np.ndarray
    ) -> tuple[ExcitationCotangent, np.ndarray, np.ndarray]:
        """Adjoint of sum_k weights_k (w_k + phi.dq_k) at a fixed potential phi on the atoms.

        Also the amplitudes and factors of the quadratic forms X A X that it is made of.
        """
        state, X, n = self.ground, self.states.amplitudes, self.ground.n_occupied
        occ, vir = state.orbitals[:, :n], state.orbitals[:, n:]
        diagonal = -potential[self.between.orbital_atom, 0]
        on_occ, on_vir = diagonal[:, None] * occ, diagonal[:, None] * vir
        oo, ov, vv = occ.T @ on_occ, occ.T @ on_vir, vir.T @ on_vir
        X_bar = 2.0 * weights[:, None, None] * (X @ vv - oo @ X)
        bar, vectors, factors = vectors_adjoint(
            self.states, state, self.between, self.bare, weights, X_bar
        )
        weighted = weights[:, None, None] * X
        inside = np.einsum("kia,kib->ab", weighted, X), np.einsum("kia,kja->ij", weighted, X)
        turned = occ @ over_gaps(state, 2.0 * (ov @ inside[0] + inside[1] @ ov)) @ vir.T
        return replace(bar, hamiltonian=bar.hamiltonian + turned + turned.T), vectors, factors

    def _direct(self, dq: np.ndarray, vectors: np.ndarray, factors: np.ndarray) -> np.ndarray:
        """(n_atom, 3) gradient of what the cavity does at fixed charges."""
        embedding = self.response.embedding
        cavity, solvent = embedding.cavity, embedding.surroundings.solvent
        out = np.zeros_like(self.response.neutral.structure.positions)
        if cavity is None or solvent is None:
            return out
        out += solvent.factor * cavity.reaction_adjoint(dq)
        n, C, n_atom = self.ground.n_occupied, self.ground.orbitals, len(out)
        populations = transition_populations(
            np.ascontiguousarray(C), n, self.between.orbital_atom, n_atom
        )
        charges = np.einsum("kia,Aia->kA", vectors, populations, optimize=True)
        for q, factor in zip(charges, factors, strict=True):
            # 2 q K_fast q
            out += 4.0 * factor * solvent.fast_factor * cavity.reaction_adjoint(_charges(q))
        return out


def _charges(q: np.ndarray) -> np.ndarray:
    """(n_atom, 4) moments of charges alone."""
    out = np.zeros((q.size, 4))
    out[:, 0] = q
    return out
