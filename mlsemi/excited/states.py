"""Records of the excited states of one multiplicity."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, NamedTuple, Self

import numpy as np

from mlsemi.brief import Brief
from mlsemi.orbitals.eigen import ElectronicState

Multiplicity = Literal["singlet", "triplet", "doublet"]


class SolventTerms(NamedTuple):
    """What a solvent does to excitations beyond the orbitals in its field: (n_state,), hartree.

    Attributes
    ----------
    linear_response, state_specific : arrays
        Parts of the excitation energies: the solvent follows the transition charges, and the
        change of the charges.
    emission : array
        Energies of emission at this geometry from a solvent in equilibrium with the state.
    shift : array
        Energy less that of the same state without the solvent; NaN where there is no such state.
    """

    linear_response: np.ndarray
    state_specific: np.ndarray
    emission: np.ndarray
    shift: np.ndarray

    def picked(self, order: np.ndarray) -> SolventTerms:
        """Terms of states of these numbers, in this order."""
        return SolventTerms(*(term[order] for term in self))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Excitations(Brief):
    """Energies and amplitudes of the excited states of one multiplicity, lowest first.

    Attributes
    ----------
    multiplicity : "singlet", "triplet" or "doublet"
    energies : (n_state,) array
        Excitation energies, hartree, ascending.
    amplitudes : (n_state, n_occ, n_vir) array
        X_ia, each state normalised to one; the largest amplitude is positive. Of doublets, between
        orbitals of both spins side by side (:class:`mlsemi.excited.unrestricted.SpinOrbitals`).
    deexcitations : (n_state, n_occ, n_vir) array or None
        Y_ia of the full response, where |X|^2 - |Y|^2 = 1; None in the Tamm-Dancoff approximation.
    selection_errors : (n_state,) array or None
        Where configurations were selected: what those left out lower each energy by, to second
        order, hartree. It is part of ``energies`` and an upper estimate of their error.
    window : tuple of (n_occ, r), (n_state, r, s), (n_vir, s) arrays or None
        Where configurations were selected: ``amplitudes`` are left x right^T of the few orbitals
        that take part (:meth:`between`).
    n_alpha : tuple of int, or None
        Of doublets: occupied and virtual orbitals of alpha spin, which stand before those of beta.
    s_squared : (n_state,) array or None
        Of doublets: <S^2>, 0.75 where the spin is pure and 3.75 of a quartet.
    """

    multiplicity: Multiplicity
    energies: np.ndarray
    amplitudes: np.ndarray
    deexcitations: np.ndarray | None = None
    selection_errors: np.ndarray | None = None
    window: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    n_alpha: tuple[int, int] | None = None
    s_squared: np.ndarray | None = None

    @property
    def spin_factor(self) -> float:
        """s_K of theory eq 9: singlets have the same amplitudes for either spin, doublets both."""
        return {"singlet": 2.0, "triplet": 0.0, "doublet": 1.0}[self.multiplicity]

    @property
    def n_state(self) -> int:
        """Number of states."""
        return self.energies.size

    @property
    def method_name(self) -> str:
        """``tda``, ``tda, selected configurations`` or ``full``."""
        if self.deexcitations is not None:
            return "full"
        return "tda" if self.selection_errors is None else "tda, selected configurations"

    def picked(self, order: np.ndarray) -> Self:
        """States of these numbers, in this order."""
        changed: dict[str, object] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name == "window" and value is not None:
                changed[f.name] = (value[0], value[1][order], value[2])
            elif isinstance(value, SolventTerms):
                changed[f.name] = value.picked(order)
            elif isinstance(value, np.ndarray):
                changed[f.name] = value[order]
        return replace(self, **changed)  # type: ignore[arg-type]

    def between(self, orbitals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Amplitudes X and the orbitals they stand between, as few as there are.

        Parameters
        ----------
        orbitals : (n_orbital, n_orbital) array
            Columns, in any frame.

        Returns
        -------
        (n_orbital, r), (n_state, r, s), (n_orbital, s) arrays
            The transition density of each state is left X right^T.
        """
        n = self.amplitudes.shape[1]
        if self.window is None:
            return orbitals[:, :n], self.amplitudes, orbitals[:, n:]
        left, X, right = self.window
        return orbitals[:, :n] @ left, X, orbitals[:, n:] @ right

    def contributions(self, k: int, threshold: float = 0.05) -> list[tuple[int, int, float]]:
        """Configurations of state ``k`` as (from, to, weight X_ia^2 - Y_ia^2), heaviest first.

        Orbitals are counted from 0 over the whole valence basis, or over both spins side by side
        (:meth:`orbital_of`); weights below ``threshold`` are left out.
        """
        weights = self.amplitudes[k] ** 2
        if self.deexcitations is not None:
            weights = weights - self.deexcitations[k] ** 2
        n_occ = weights.shape[0]
        order = np.argsort(-weights, axis=None, kind="stable")
        pairs = (divmod(int(flat), weights.shape[1]) for flat in order)
        listed = ((i, n_occ + a, float(weights[i, a])) for i, a in pairs)
        return [entry for entry in listed if entry[2] >= threshold]

    def orbital_of(self, index: int) -> tuple[int, str]:
        """Number of an orbital of both spins among those of its own, and its spin.

        Without spins the number itself, and an empty string.
        """
        if self.n_alpha is None:
            return index, ""
        n_occ, (occupied, virtual) = self.amplitudes.shape[1], self.n_alpha
        if index < n_occ:
            return (index, "alpha") if index < occupied else (index - occupied, "beta")
        above = index - n_occ
        if above < virtual:
            return occupied + above, "alpha"
        return n_occ - occupied + above - virtual, "beta"

    def natural_orbitals(
        self, k: int, state: ElectronicState
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Natural transition orbitals of state ``k`` (Martin, J. Chem. Phys. 118, 4775 (2003)).

        Returns
        -------
        (m,) weights, descending, that add up to one, and the (n_orbital, m) holes and particles
        in the Loewdin frame.
        """
        X = self.amplitudes[k] / np.linalg.norm(self.amplitudes[k])
        left, singular, right = np.linalg.svd(X, full_matrices=False)
        n = state.n_occupied
        return singular**2, state.orbitals[:, :n] @ left, state.orbitals[:, n:] @ right.T


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ExcitedStates(Excitations):
    """Excited states with all that light and a solvent do to them.

    Attributes
    ----------
    transition_dipoles : (n_state, 3) array
        <0|r|n>, bohr.
    oscillator_strengths : (n_state,) array
        Length form, dimensionless.
    rotatory_strengths : (n_state,) array
        Velocity form, atomic units (times ``spectrum.ROTATORY_CGS`` for 1e-40 esu^2 cm^2).
    velocity_strengths, rotatory_lengths : (n_state,) arrays
        Oscillator strengths in the velocity form, rotatory strengths in the length form (about the
        center of the core charges).
    solvent : SolventTerms or None
        In a solvent.
    """

    transition_dipoles: np.ndarray
    oscillator_strengths: np.ndarray
    rotatory_strengths: np.ndarray
    velocity_strengths: np.ndarray
    rotatory_lengths: np.ndarray
    solvent: SolventTerms | None = None
