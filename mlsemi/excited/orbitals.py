"""Orbitals of the response: those of H_o with the exchange that its functional lacks.

theory eq 9a: the blocks F_ij and F_ab of H_o - P o gamma^F / 2 are diagonalised, so that orbitals
turn among the occupied and among the virtual ones and the density stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from mlsemi.errors import ConvergenceError
from mlsemi.excited.interaction import Interaction, fock_correction
from mlsemi.orbitals.eigen import ElectronicState


@dataclass(frozen=True, eq=False)
class ResponseOrbitals:
    """Occupied and virtual orbitals of the response, and the way back to those of the state.

    Attributes
    ----------
    occupied, virtual : (n_orbital, n_occ), (n_orbital, n_vir) arrays
        Columns, orthonormal, in the Loewdin frame.
    occupied_energies, virtual_energies : (n_occ,), (n_vir,) arrays
        Ascending, hartree.
    turn_occupied, turn_virtual : square arrays or None
        ``occupied`` is the state's occupied orbitals times ``turn_occupied``; None: they are equal.
    """

    occupied: np.ndarray
    virtual: np.ndarray
    occupied_energies: np.ndarray
    virtual_energies: np.ndarray
    turn_occupied: np.ndarray | None
    turn_virtual: np.ndarray | None

    @property
    def gaps(self) -> np.ndarray:
        """(n_occ, n_vir) energy differences, hartree."""
        return self.virtual_energies[None, :] - self.occupied_energies[:, None]

    def over_state(self, vectors: np.ndarray) -> np.ndarray:
        """(k, n_occ, n_vir) amplitudes between the orbitals of the state, in their precision."""
        if self.turn_occupied is None or self.turn_virtual is None:
            return vectors
        left, right = (t.astype(vectors.dtype) for t in (self.turn_occupied, self.turn_virtual))
        return np.asarray(left @ vectors @ right.T)

    def window(self, occupied: np.ndarray, virtual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Columns of the two turns: amplitudes x of these orbitals are left x right^T."""
        turns = (self.turn_occupied, self.occupied), (self.turn_virtual, self.virtual)
        left, right = (np.eye(c.shape[1]) if turn is None else turn for turn, c in turns)
        return left[:, occupied], right[:, virtual]

    def from_state(self, vectors: np.ndarray) -> np.ndarray:
        """Inverse (and adjoint) of :meth:`over_state`."""
        if self.turn_occupied is None or self.turn_virtual is None:
            return vectors
        return self.turn_occupied.T @ vectors @ self.turn_virtual


def response_orbitals(state: ElectronicState, between: Interaction) -> ResponseOrbitals:
    """Response orbitals of a state, theory eq 9a.

    Raises
    ------
    ConvergenceError
        If an eigensolver fails.
    """
    n = state.n_occupied
    occupied = np.ascontiguousarray(state.orbitals[:, :n])
    virtual = np.ascontiguousarray(state.orbitals[:, n:])
    energies = state.energies[:n], state.energies[n:]
    if not between.gamma_f.any() or not n or n == state.energies.size:
        return ResponseOrbitals(occupied, virtual, *energies, None, None)
    correction = fock_correction(between, state.closed_density)
    levels, turns = [], []
    for orbitals, level in zip((occupied, virtual), energies, strict=True):
        block = orbitals.T @ (correction @ orbitals)
        block[np.diag_indices_from(block)] += level
        try:
            values, vectors = scipy.linalg.eigh(block, check_finite=False, driver="evd")
        except np.linalg.LinAlgError as error:
            raise ConvergenceError(f"the response orbitals failed: {error}") from None
        levels.append(values)
        turns.append(vectors)
    return ResponseOrbitals(occupied @ turns[0], virtual @ turns[1], *levels, *turns)
