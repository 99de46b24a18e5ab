"""Vertical excitations: simplified Tamm-Dancoff states of the learned Hamiltonian.

theory eq 9: A_{ia,jb} = delta_ij delta_ab (eps_a - eps_i) + s_K (ia|jb) - (ij|ab), s_K = 2 for
singlets and 0 for triplets, with the integrals of :mod:`mlsemi.excited.interaction`. Every
occupied-virtual configuration takes part, always: no energy window shifts the low roots.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mlsemi.errors import ConvergenceError, InputError
from mlsemi.excited.constants import ExcitationParameters, Scalars
from mlsemi.excited.interaction import (
    Interaction,
    fock_correction,
    interaction,
    to_potential,
    transition_density,
)
from mlsemi.excited.method import TDA, Method
from mlsemi.excited.states import Excitations, Multiplicity
from mlsemi.excited.tamm_dancoff import DEGENERATE, Solution, TammDancoff, solve_below
from mlsemi.kernels import response
from mlsemi.orbitals.eigen import ElectronicState

EXCHANGE_FACTOR = {"singlet": 2.0, "triplet": 0.0}
"""s_K of theory eq 9."""

ROUNDING = 1e-6
"""Amplitudes that differ by less are equal where phases are fixed."""

RESIDUAL = 2e-5
"""Default tolerance of |A X - w X|, hartree; the energies are then good to its square."""


def build_interaction(
    numbers: np.ndarray,
    positions: np.ndarray,
    orbital_atom: np.ndarray,
    orbital_l: np.ndarray,
    parameters: ExcitationParameters,
) -> Interaction:
    """Interaction with the constants of each atom's element.

    Parameters
    ----------
    numbers : (n_atom,) int array
    positions : (n_atom, 3) array
        Bohr.
    orbital_atom, orbital_l : (n_orbital,) int arrays
        Orbitals ordered by atom, then shell.
    parameters : ExcitationParameters
    """
    return interaction(
        positions,
        orbital_atom,
        orbital_l,
        parameters.hardness_of(numbers),
        parameters.exchange_of(numbers),
        parameters.scalars,
    )


def excite(
    state: ElectronicState,
    between: Interaction,
    n_states: int | None,
    multiplicity: Multiplicity = "singlet",
    max_energy: float | None = None,
    tolerance: float = RESIDUAL,
    method: Method = TDA,
) -> Excitations:
    """Lowest excited states of a molecule.

    Parameters
    ----------
    state : ElectronicState
    between : Interaction
        Between configurations (:func:`build_interaction`), one for both multiplicities.
    n_states : int, optional
        Number of states; fewer come back if fewer configurations exist. None with
        ``max_energy``: all of them.
    multiplicity : "singlet" or "triplet"
    max_energy : float, optional
        Upper bound of the excitation energies, hartree.
    tolerance : float
        Residual norm, hartree.
    method : Method
        Tamm-Dancoff by default.

    Raises
    ------
    InputError
        For neither a number nor an energy, or an unknown multiplicity.
    ConvergenceError
        If the iteration does not converge.
    """
    if multiplicity not in EXCHANGE_FACTOR:
        raise InputError(f"multiplicity {multiplicity!r} is not one of singlet, triplet")
    if n_states is None and max_energy is None:
        raise InputError("give a number of excited states or an upper bound of their energy")
    if n_states is not None and n_states < 0:
        raise InputError(f"the number of excited states cannot be negative ({n_states})")
    problem = TammDancoff(state, between, EXCHANGE_FACTOR[multiplicity])
    solve = method.solver(problem)
    if max_energy is None:
        found = solve(n_states or 0, tolerance)
    else:
        found = solve_below(solve, problem.diagonal, max_energy, n_states, tolerance)
    return _states(multiplicity, problem, found)


def _states(multiplicity: Multiplicity, problem: TammDancoff, found: Solution) -> Excitations:
    """Record with a fixed phase: each state's largest amplitude is positive."""
    n, turned = found.energies.size, problem.orbitals
    window = None
    if found.window is None:
        shape = (n, problem.n_occ, problem.n_vir)
        X = turned.over_state(found.excitations.reshape(shape)).astype(np.float64, copy=False)
        Y = found.deexcitations
        Y = None if Y is None else turned.over_state(Y.reshape(shape))
    else:
        left, right = turned.window(*found.window)
        inside = found.excitations.reshape(n, left.shape[1], right.shape[1])
        X, Y, window = left @ inside @ right.T, None, (left, inside, right)
    if n:
        signs = phases(X)
        X, Y = X * signs, None if Y is None else Y * signs
        window = None if window is None else (left, inside * signs, right)
    return Excitations(
        multiplicity=multiplicity,
        energies=found.energies,
        amplitudes=X,
        deexcitations=Y,
        selection_errors=found.errors,
        window=window,
    )


def phases(X: np.ndarray) -> np.ndarray:
    """(n_state, 1, 1) signs that make the largest amplitude of each state positive."""
    flat = X.reshape(len(X), -1)
    size = np.abs(flat)
    # the first of the largest: they may be equal by symmetry but for rounding
    largest = np.argmax(size > size.max(axis=1, keepdims=True) - ROUNDING, axis=1)
    return np.where(flat[np.arange(len(X)), largest] < 0.0, -1.0, 1.0)[:, None, None]


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
    scalars : Scalars
        By the constants that no element owns.
    """

    hamiltonian: np.ndarray
    positions: np.ndarray
    hardness: np.ndarray
    exchange: np.ndarray
    scalars: Scalars


def shared_among_degenerate(energies: np.ndarray, bar: np.ndarray) -> np.ndarray:
    """Cotangents of excitation energies, shared equally by states that are degenerate.

    Single states of a degenerate level have no derivative, their mean energy has one.

    Parameters
    ----------
    energies : (n_state,) array
        Hartree; closer than ``tamm_dancoff.DEGENERATE`` is one level.
    bar : (n_state,) array
        dL/d w_k; the sum stays.
    """
    together = np.abs(energies[:, None] - energies[None, :]) < DEGENERATE
    return np.asarray((together / together.sum(axis=0)) @ bar)


def excite_adjoint(
    states: Excitations,
    state: ElectronicState,
    between: Interaction,
    energies_bar: np.ndarray,
) -> ExcitationCotangent:
    """Adjoint of :func:`excite` for losses of the excitation energies.

    w = X^T A X at fixed X (theory section 8). Rotations inside the occupied or the virtual
    space cancel for a converged X, since A holds the Fock blocks F_ij, F_ab themselves:

    - M(virtual, virtual) = sum_k w_bar X^T X, M(occ, occ) = -sum_k w_bar X X^T is the cotangent
      of F = H_o - P o gamma^F / 2;
    - H_bar = M + rotations between the spaces, [C_occ^T Cv_bar - (C_vir^T Co_bar)^T]_ia /
      (eps_a - eps_i) with Cv_bar, Co_bar the cotangents of the interaction, of the blocks of F and
      of P in F.

    Parameters
    ----------
    states : Excitations
        Of the forward step; degenerate states must carry equal cotangents
        (:func:`shared_among_degenerate`).
    state : ElectronicState
    between : Interaction
    energies_bar : (n_state,) array
        dL/d w_k.

    Raises
    ------
    InputError
        For states of the full response.
    """
    if states.deexcitations is not None:
        raise InputError("gradients of excited states need the Tamm-Dancoff approximation")
    n = state.n_occupied
    occ = np.ascontiguousarray(state.orbitals[:, :n])
    vir = np.ascontiguousarray(state.orbitals[:, n:])
    factor, X = EXCHANGE_FACTOR[states.multiplicity], states.amplitudes
    weighted = energies_bar[:, None, None] * X
    transition = transition_density(occ, vir, X)
    gamma_j_bar, gamma_k_bar, exchange_bar, one_center_bar = response.interaction_adjoint(
        transition,
        np.ascontiguousarray(energies_bar, dtype=np.float64),
        between.orbital_atom,
        between.s_orbital,
        between.p_orbital,
        between.exchange,
        factor,
        between.scalars.ax_one_center,
    )
    to_potential(between, transition, factor)
    fock_bar = (
        -np.tensordot(weighted, X, axes=((0, 2), (0, 2))),
        np.tensordot(weighted, X, axes=((0, 1), (0, 1))),
    )
    rotation_bar, gamma_f_bar = _fock_adjoint(state, between, fock_bar)
    rotation_bar += _rotation_bar(transition, occ, vir, weighted)
    inner = np.zeros_like(state.orbitals)
    inner[:n, :n], inner[n:, n:] = fock_bar
    inner[:n, n:] = over_gaps(state, rotation_bar)
    inner[n:, :n] = inner[:n, n:].T
    at, scalars = (between.positions, between.hardness), between.scalars
    by_j = response.screened_adjoint(*at, scalars.ax, scalars.beta_j, gamma_j_bar)
    by_k = response.screened_adjoint(*at, 1.0, scalars.alpha_k, gamma_k_bar)
    by_f = response.missing_exchange_adjoint(*at, scalars.fock_near, scalars.fock_far, gamma_f_bar)
    return ExcitationCotangent(
        hamiltonian=state.orbitals @ inner @ state.orbitals.T,
        positions=by_j[0] + by_k[0] + by_f[0],
        hardness=by_j[1] + by_k[1] + by_f[1],
        exchange=exchange_bar,
        scalars=Scalars(by_j[2], by_k[3], by_j[3], one_center_bar, by_f[2], by_f[3]),
    )


def vectors_adjoint(
    states: Excitations,
    state: ElectronicState,
    between: Interaction,
    energies: np.ndarray,
    energies_bar: np.ndarray,
    vectors_bar: np.ndarray,
) -> tuple[ExcitationCotangent, np.ndarray, np.ndarray]:
    """Adjoint of :func:`excite` for losses of energies and of eigenvectors.

    The latter give A_bar = (z X^T + X z^T) / 2 (:meth:`TammDancoff.vectors_adjoint`), which is the
    difference of two squares, [(X + z)(X + z)^T - (X - z)(X - z)^T] / 4: what
    :func:`excite_adjoint` knows.

    Parameters
    ----------
    states : Excitations
        Of the forward step, from the lowest on; degenerate ones must carry equal cotangents.
    state : ElectronicState
    between : Interaction
    energies : (n_state,) array
        Eigenvalues.
    energies_bar : (n_state,) array
        dL/d w_k.
    vectors_bar : (n_state, n_occ, n_vir) array
        dL/dX_k.

    Returns
    -------
    ExcitationCotangent, and the (3 n_state, n_occ, n_vir) amplitudes and (3 n_state,) factors of
    the squares that A_bar is made of.
    """
    X = states.amplitudes
    problem = TammDancoff(state, between, EXCHANGE_FACTOR[states.multiplicity])

    def rows(vectors: np.ndarray) -> np.ndarray:
        return problem.orbitals.from_state(vectors).reshape(len(vectors), -1)

    z = problem.vectors_adjoint(energies, rows(X), rows(vectors_bar))
    z = problem.orbitals.over_state(z.reshape(X.shape))
    amplitudes = np.concatenate([X, X + z, X - z])
    quarter = np.full(len(X), 0.25)
    factors = np.concatenate([energies_bar, quarter, -quarter])
    made = replace(states, amplitudes=amplitudes)
    return excite_adjoint(made, state, between, factors), amplitudes, factors


def over_gaps(state: ElectronicState, rotation_bar: np.ndarray) -> np.ndarray:
    """Block (n_occ, n_vir) of dL/dH_o from rotations between the spaces, over the gaps."""
    n = state.n_occupied
    gap = state.energies[None, n:] - state.energies[:n, None]
    if not np.all(gap > 0.0):
        raise ConvergenceError(
            "the highest occupied and the lowest unoccupied orbital have the same energy: "
            "excited states have no derivative there"
        )
    return np.asarray(0.5 * rotation_bar / gap)


def _fock_adjoint(
    state: ElectronicState, between: Interaction, fock_bar: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Adjoint of the correction in F_ij and F_ab: rotations (n_occ, n_vir), gamma^F_bar.

    With D = -P o gamma^F / 2 and M the cotangent of F: C_occ^T Cv_bar - (C_vir^T Co_bar)^T is
    2 (D_ov M_vv - M_oo D_ov) from the blocks and -4 C_occ^T P_bar C_vir, P_bar = -gamma^F o M / 2,
    from the density 2 C_occ C_occ^T.
    """
    n = state.n_occupied
    occ, vir = state.orbitals[:, :n], state.orbitals[:, n:]
    density = state.closed_density
    at_atoms = between.orbital_atom[:, None], between.orbital_atom
    D = occ.T @ fock_correction(between, density) @ vir
    M = occ @ fock_bar[0] @ occ.T + vir @ fock_bar[1] @ vir.T
    density_bar = -0.5 * between.gamma_f[at_atoms] * M
    gamma_f_bar = np.zeros_like(between.gamma_f)
    np.add.at(gamma_f_bar, at_atoms, -0.5 * density * M)
    return 2.0 * (D @ fock_bar[1] - fock_bar[0] @ D) - 4.0 * occ.T @ density_bar @ vir, gamma_f_bar


def _rotation_bar(
    potential: np.ndarray, occ: np.ndarray, vir: np.ndarray, weighted: np.ndarray
) -> np.ndarray:
    """C_occ^T Cv_bar - (C_vir^T Co_bar)^T, where Cv_bar = 2 V^T C_occ X and Co_bar = 2 V C_vir X^T.

    ``potential`` V (n_orbital, n_state, n_orbital) and ``weighted`` w_bar X.
    """
    transposed = potential.transpose(1, 2, 0)
    inside = (occ.T @ transposed @ occ) @ weighted - weighted @ (vir.T @ transposed @ vir)
    return 2.0 * inside.sum(axis=0)
