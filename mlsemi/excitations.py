"""Vertical excitations: simplified Tamm-Dancoff states of the learned Hamiltonian.

theory eq 9: A_{ia,jb} = delta_ij delta_ab (eps_a - eps_i) + s_K (ia|jb) - (ij|ab), s_K = 2 for
singlets and 0 for triplets, with the integrals of :mod:`mlsemi.monopoles`. Every
occupied-virtual configuration takes part, always: no energy window shifts the low roots.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mlsemi.eigen import ElectronicState
from mlsemi.errors import InputError
from mlsemi.kernels import response
from mlsemi.monopoles import (
    ExcitationParameters,
    Interaction,
    interaction,
    to_potential,
    transition_density,
)
from mlsemi.tamm_dancoff import TammDancoff

Multiplicity = Literal["singlet", "triplet"]

EXCHANGE_FACTOR = {"singlet": 2.0, "triplet": 0.0}
"""s_K of theory eq 9."""

RESIDUAL = 5e-6
"""Default tolerance of |A X - w X|, hartree; the energies are then good to its square."""


@dataclass(frozen=True, eq=False)
class ExcitedStates:
    """Excited states of one multiplicity, lowest first.

    Attributes
    ----------
    multiplicity : "singlet" or "triplet"
    energies : (n_state,) array
        Excitation energies, hartree, ascending.
    amplitudes : (n_state, n_occ, n_vir) array
        X_ia, each state normalised to one; the largest amplitude is positive.
    transition_dipoles : (n_state, 3) array
        <0|r|n>, bohr; NaN until :func:`intensities` has been called, as the next two.
    oscillator_strengths : (n_state,) array
        Length form, dimensionless.
    rotatory_strengths : (n_state,) array
        Velocity form, atomic units (times ``spectrum.ROTATORY_CGS`` for 1e-40 esu^2 cm^2).
    """

    multiplicity: Multiplicity
    energies: np.ndarray
    amplitudes: np.ndarray
    transition_dipoles: np.ndarray
    oscillator_strengths: np.ndarray
    rotatory_strengths: np.ndarray

    @property
    def n_state(self) -> int:
        """Number of states."""
        return self.energies.size

    def contributions(self, k: int, threshold: float = 0.05) -> list[tuple[int, int, float]]:
        """Configurations of state ``k`` as (from, to, weight X_ia^2), heaviest first.

        Orbitals are counted from 0 over the whole valence basis; weights below ``threshold``
        are left out.
        """
        weights = self.amplitudes[k] ** 2
        n_occ = weights.shape[0]
        order = np.argsort(-weights, axis=None, kind="stable")
        pairs = (divmod(int(flat), weights.shape[1]) for flat in order)
        listed = ((i, n_occ + a, float(weights[i, a])) for i, a in pairs)
        return [entry for entry in listed if entry[2] >= threshold]

    def natural_orbitals(
        self, k: int, state: ElectronicState
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Natural transition orbitals of state ``k`` (Martin, J. Chem. Phys. 118, 4775 (2003)).

        Returns
        -------
        (m,) weights, descending, that add up to one, and the (n_orbital, m) holes and particles
        in the Loewdin frame.
        """
        left, singular, right = np.linalg.svd(self.amplitudes[k], full_matrices=False)
        n = state.n_occupied
        return singular**2, state.orbitals[:, :n] @ left, state.orbitals[:, n:] @ right.T


def excite(
    state: ElectronicState,
    numbers: np.ndarray,
    positions: np.ndarray,
    orbital_atom: np.ndarray,
    orbital_l: np.ndarray,
    parameters: ExcitationParameters,
    n_states: int | None,
    multiplicity: Multiplicity = "singlet",
    max_energy: float | None = None,
    tolerance: float = RESIDUAL,
) -> ExcitedStates:
    """Lowest excited states of a molecule.

    Parameters
    ----------
    state : ElectronicState
    numbers : (n_atom,) int array
    positions : (n_atom, 3) array
        Bohr.
    orbital_atom, orbital_l : (n_orbital,) int arrays
        Orbitals ordered by atom, then shell.
    parameters : ExcitationParameters
    n_states : int, optional
        Number of states; fewer come back if fewer configurations exist. None with
        ``max_energy``: all of them.
    multiplicity : "singlet" or "triplet"
    max_energy : float, optional
        Upper bound of the excitation energies, hartree.
    tolerance : float
        Residual norm, hartree.

    Raises
    ------
    InputError
        For neither a number nor an energy, or an unknown multiplicity.
    ConvergenceError
        If the iteration does not converge.
    """
    between = build_interaction(numbers, positions, orbital_atom, orbital_l, parameters)
    return excite_with(state, between, n_states, multiplicity, max_energy, tolerance)


def build_interaction(
    numbers: np.ndarray,
    positions: np.ndarray,
    orbital_atom: np.ndarray,
    orbital_l: np.ndarray,
    parameters: ExcitationParameters,
) -> Interaction:
    """Interaction with the constants of each atom's element; arguments as in :func:`excite`."""
    return interaction(
        positions,
        orbital_atom,
        orbital_l,
        parameters.hardness_of(numbers),
        parameters.exchange_of(numbers),
        (parameters.ax, parameters.alpha_k, parameters.beta_j),
    )


def excite_with(
    state: ElectronicState,
    between: Interaction,
    n_states: int | None,
    multiplicity: Multiplicity = "singlet",
    max_energy: float | None = None,
    tolerance: float = RESIDUAL,
) -> ExcitedStates:
    """:func:`excite` for an interaction that is already there (one for both multiplicities)."""
    if multiplicity not in EXCHANGE_FACTOR:
        raise InputError(f"multiplicity {multiplicity!r} is not one of singlet, triplet")
    if n_states is None and max_energy is None:
        raise InputError("give a number of excited states or an upper bound of their energy")
    if n_states is not None and n_states < 0:
        raise InputError(f"the number of excited states cannot be negative ({n_states})")
    problem = TammDancoff(state, between, EXCHANGE_FACTOR[multiplicity])
    if max_energy is None:
        energies, vectors = problem.solve(n_states or 0, tolerance)
    else:
        energies, vectors = problem.solve_below(max_energy, n_states, tolerance)
    return _states(
        multiplicity, energies, vectors.reshape(energies.size, problem.n_occ, problem.n_vir)
    )


def _states(
    multiplicity: Multiplicity, energies: np.ndarray, amplitudes: np.ndarray
) -> ExcitedStates:
    """Record with a fixed phase: each state's largest amplitude is positive."""
    if energies.size:
        flat = amplitudes.reshape(energies.size, -1)
        # rounding keeps the choice stable among amplitudes that are equal by symmetry
        largest = np.argmax(np.round(np.abs(flat), 6), axis=1)
        signs = np.where(flat[np.arange(energies.size), largest] < 0.0, -1.0, 1.0)
        amplitudes = amplitudes * signs[:, None, None]
    unknown = np.full(energies.size, np.nan)
    return ExcitedStates(
        multiplicity, energies, amplitudes, np.full((energies.size, 3), np.nan), unknown, unknown
    )


def intensities(
    states: ExcitedStates,
    state: ElectronicState,
    dipole_o: np.ndarray,
    velocity_o: np.ndarray,
    angular_o: np.ndarray,
) -> ExcitedStates:
    """Add transition dipoles, oscillator and rotatory strengths.

    For singlets, with <0|O|n> = sqrt(2) sum_ia X_ia <i|O|a>:
    f = 2/3 w |<0|r|n>|^2 (length form), and in the velocity form, which does not depend on the
    origin, R = <0|d/dr|n> . <0|r x d/dr|n> / (2 w): this is Im <0|mu|n>.<n|m|0> with mu = -r,
    m = -(r x p)/2 and <0|r|n> = <0|d/dr|n> / w. Triplets have none (no spin-orbit coupling).

    Parameters
    ----------
    states : ExcitedStates
    state : ElectronicState
    dipole_o, velocity_o, angular_o : (3, n_orbital, n_orbital) arrays
        <m|r|n>, <m|d/dr|n>, <m|r x d/dr|n> in the Loewdin frame, atomic units.

    Returns
    -------
    ExcitedStates with finite ``transition_dipoles``, ``oscillator_strengths`` and
    ``rotatory_strengths``.
    """
    if states.multiplicity == "triplet":
        none = np.zeros(states.n_state)
        return replace(
            states,
            transition_dipoles=np.zeros((states.n_state, 3)),
            oscillator_strengths=none,
            rotatory_strengths=none,
        )
    dipole, velocity, angular = (
        _transition_moments(states, state, operator)
        for operator in (dipole_o, velocity_o, angular_o)
    )
    return replace(
        states,
        transition_dipoles=dipole,
        oscillator_strengths=2.0 / 3.0 * states.energies * (dipole**2).sum(axis=1),
        rotatory_strengths=0.5 * (velocity * angular).sum(axis=1) / states.energies,
    )


def _transition_moments(
    states: ExcitedStates, state: ElectronicState, operator: np.ndarray
) -> np.ndarray:
    """(n_state, 3) moments sqrt(2) sum_ia X_ia <i|O|a>."""
    n = state.n_occupied
    between = state.orbitals[:, :n].T @ operator @ state.orbitals[:, n:]
    return np.sqrt(2.0) * np.tensordot(states.amplitudes, between, axes=((1, 2), (1, 2)))


@dataclass(frozen=True, eq=False)
class ExcitationCotangent:
    """dL/d(everything the excitation energies depend on), atomic units.

    Attributes
    ----------
    hamiltonian : (n_orbital, n_orbital) symmetric array
        By H_o, through orbital energies and orbitals.
    positions : (n_atom, 3) array
        Through gamma(R) at fixed H_o.
    hardness : (n_atom,) array
        Per atom; sum over the atoms of an element for its parameter.
    exchange : (n_atom, 2) array
        By K_sp, K_pp of each atom.
    ax, alpha_k, beta_j : float
    """

    hamiltonian: np.ndarray
    positions: np.ndarray
    hardness: np.ndarray
    exchange: np.ndarray
    ax: float
    alpha_k: float
    beta_j: float


def excite_adjoint(
    states: ExcitedStates,
    state: ElectronicState,
    between: Interaction,
    energies_bar: np.ndarray,
) -> ExcitationCotangent:
    """Adjoint of :func:`excite_with` for losses of the excitation energies.

    w = X^T A X at fixed X (theory section 8). Rotations inside the occupied or the virtual
    space cancel for a converged X if A is written with the Fock blocks F_ij, F_ab instead of
    orbital energies, so

    - H_bar(virtual, virtual) = sum_k w_bar X^T X, H_bar(occ, occ) = -sum_k w_bar X X^T;
    - H_bar(occ, virtual) = [C_occ^T Cv_bar - (C_vir^T Co_bar)^T]_ia / (eps_a - eps_i) with
      Cv_bar, Co_bar the cotangents of the interaction part.

    Parameters
    ----------
    states : ExcitedStates
        Of the forward step; degenerate states must carry equal cotangents.
    state : ElectronicState
    between : Interaction
    energies_bar : (n_state,) array
        dL/d w_k.
    """
    n = state.n_occupied
    occ = np.ascontiguousarray(state.orbitals[:, :n])
    vir = np.ascontiguousarray(state.orbitals[:, n:])
    factor, X = EXCHANGE_FACTOR[states.multiplicity], states.amplitudes
    weighted = energies_bar[:, None, None] * X
    transition = transition_density(occ, vir, X)
    gamma_j_bar, gamma_k_bar, exchange_bar, ax_bar = response.interaction_adjoint(
        transition,
        np.ascontiguousarray(energies_bar, dtype=np.float64),
        between.orbital_atom,
        between.s_orbital,
        between.p_orbital,
        between.exchange,
        factor,
        between.ax,
    )
    to_potential(between, transition, factor)
    inner = np.zeros_like(state.orbitals)
    inner[:n, :n] = -np.tensordot(weighted, X, axes=((0, 2), (0, 2)))
    inner[n:, n:] = np.tensordot(weighted, X, axes=((0, 1), (0, 1)))
    gap = state.energies[None, n:] - state.energies[:n, None]
    inner[:n, n:] = 0.5 * _rotation_bar(transition, occ, vir, weighted) / gap
    inner[n:, :n] = inner[:n, n:].T
    at = (between.positions, between.hardness)
    by_j = response.screened_adjoint(*at, between.ax, between.beta_j, gamma_j_bar)
    by_k = response.screened_adjoint(*at, 1.0, between.alpha_k, gamma_k_bar)
    return ExcitationCotangent(
        hamiltonian=state.orbitals @ inner @ state.orbitals.T,
        positions=by_j[0] + by_k[0],
        hardness=by_j[1] + by_k[1],
        exchange=exchange_bar,
        ax=ax_bar + by_j[2],
        alpha_k=by_k[3],
        beta_j=by_j[3],
    )


def _rotation_bar(
    potential: np.ndarray, occ: np.ndarray, vir: np.ndarray, weighted: np.ndarray
) -> np.ndarray:
    """C_occ^T Cv_bar - (C_vir^T Co_bar)^T, where Cv_bar = 2 V^T C_occ X and Co_bar = 2 V C_vir X^T.

    ``potential`` V (n_orbital, n_state, n_orbital) and ``weighted`` w_bar X.
    """
    transposed = potential.transpose(1, 2, 0)
    inside = (occ.T @ transposed @ occ) @ weighted - weighted @ (vir.T @ transposed @ vir)
    return 2.0 * inside.sum(axis=0)
