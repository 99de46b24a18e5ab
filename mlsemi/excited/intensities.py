"""Intensities of excited states: transition moments, oscillator and rotatory strengths."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from mlsemi.errors import InputError
from mlsemi.excited.excitations import ExcitationCotangent, over_gaps, vectors_adjoint
from mlsemi.excited.interaction import Interaction
from mlsemi.excited.states import Excitations, ExcitedStates, SolventTerms
from mlsemi.orbitals.eigen import ElectronicState


def intensities(
    states: Excitations,
    orbitals: np.ndarray,
    dipole: np.ndarray,
    velocity: np.ndarray,
    angular: np.ndarray,
    origin: np.ndarray,
    factor: float = 1.0,
    solvent: SolventTerms | None = None,
) -> ExcitedStates:
    """Excited states with transition dipoles, oscillator and rotatory strengths.

    For singlets, with <0|O|n> = c sqrt(2) sum_ia X_ia <i|O|a> (X + Y for r and X - Y for the
    antisymmetric operators in the full response; c a common factor; no sqrt(2) for doublets, whose
    sum runs over both spins), r = <0|r|n>,
    v = <0|d/dr|n> and l = <0|(r - origin) x d/dr|n>:

    - f = 2/3 w r.r in the length form, 2/3 v.v / w in the velocity form;
    - R = v.l / (2 w) in the velocity form, r.l / 2 in the length form. Both are
      Im <0|mu|n>.<n|m|0> with mu = -r, m = -(r x p)/2; they are equal for exact states, where
      r = v / w. A shift of the origin adds a vector times v to l: the velocity form does not
      notice, the length form does.

    Triplets have none (no spin-orbit coupling).

    Parameters
    ----------
    states : Excitations
    orbitals : (n_orbital, n_orbital) array
        Columns, in the frame of the operators.
    dipole, velocity, angular : (3, n_orbital, n_orbital) arrays
        <m|r|n>, <m|d/dr|n>, <m|r x d/dr|n> about the origin of the coordinates, between atomic or
        Loewdin orbitals, atomic units.
    origin : (3,) array
        Of the angular momentum in the length form of R, bohr.
    factor : float
        c, of all moments (:class:`mlsemi.excited.constants.ExcitationParameters`).
    solvent : SolventTerms, optional
        What a solvent does to the states.
    """
    known = {f.name: getattr(states, f.name) for f in fields(Excitations)}
    if states.multiplicity == "triplet":
        none = np.zeros(states.n_state)
        return ExcitedStates(
            **known,
            transition_dipoles=np.zeros((states.n_state, 3)),
            oscillator_strengths=none,
            rotatory_strengths=none,
            velocity_strengths=none,
            rotatory_lengths=none,
            solvent=solvent,
        )
    v, l = (
        factor * _transition_moments(states, orbitals, operator, -1.0)
        for operator in (velocity, angular)
    )
    r, strengths = lengths(states, orbitals, dipole, factor)
    local = l - np.cross(origin, v)
    return ExcitedStates(
        **known,
        transition_dipoles=r,
        oscillator_strengths=strengths,
        velocity_strengths=2.0 / 3.0 * (v**2).sum(axis=1) / states.energies,
        rotatory_strengths=0.5 * (v * local).sum(axis=1) / states.energies,
        rotatory_lengths=0.5 * (r * local).sum(axis=1),
        solvent=solvent,
    )


def lengths(
    states: Excitations, orbitals: np.ndarray, dipole: np.ndarray, factor: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Transition dipoles r and oscillator strengths of singlets in the length form.

    Parameters
    ----------
    states : Excitations
    orbitals : (n_orbital, n_orbital) array
    dipole : (3, n_orbital, n_orbital) array
        Bohr.
    factor : float
        As in :func:`intensities`, with its formulas.

    Returns
    -------
    (n_state, 3) array, bohr, and (n_state,) array.
    """
    r = factor * _transition_moments(states, orbitals, dipole, 1.0)
    return r, 2.0 / 3.0 * states.energies * (r**2).sum(axis=1)


def _transition_moments(
    states: Excitations, orbitals: np.ndarray, operator: np.ndarray, sign: float
) -> np.ndarray:
    """(n_state, 3) moments sqrt(2) sum_ia (X + sign Y)_ia <i|O|a>, or as is fit for the spin."""
    occ, X, vir = states.between(orbitals)
    if states.deexcitations is not None:
        X = X + sign * states.deexcitations
    both = np.sqrt(states.spin_factor)
    return both * np.tensordot(X, occ.T @ operator @ vir, axes=((1, 2), (1, 2)))


def strengths_adjoint(
    states: Excitations,
    state: ElectronicState,
    between: Interaction,
    dipole: np.ndarray,
    strengths_bar: np.ndarray,
    factor: float = 1.0,
) -> tuple[ExcitationCotangent, np.ndarray]:
    """Adjoint of :func:`lengths`, f_k = 2/3 w_k r_k.r_k, for Tamm-Dancoff singlets.

    With r_bar = 4/3 w f_bar r the eigenvectors have X_bar = c sqrt(2) C_occ^T (r_bar . r) C_vir
    (:func:`mlsemi.excited.excitations.vectors_adjoint`). The rest is w_bar = f_bar f / w and the
    rotation of the orbitals in the moment itself.

    Parameters
    ----------
    states : Excitations
        Singlets of the forward step, from the lowest on; degenerate ones must carry equal
        cotangents.
    state : ElectronicState
    between : Interaction
    dipole : (3, n_orbital, n_orbital) array
        <m|r|n> in the Loewdin frame, as the orbitals.
    strengths_bar : (n_state,) array
        dL/d f_k.
    factor : float
        c, of all moments.

    Returns
    -------
    ExcitationCotangent
        At fixed dipole integrals.
    (3, n_orbital, n_orbital) array
        dL/d of the dipole integrals, symmetric.

    Raises
    ------
    InputError
        For triplets or states of the full response.
    ConvergenceError
        If the gap is zero or the response of a state does not converge.
    """
    if states.multiplicity != "singlet" or states.deexcitations is not None:
        raise InputError("gradients of strengths need singlets in the Tamm-Dancoff approximation")
    n, X, w = state.n_occupied, states.amplitudes, states.energies
    occ, vir = state.orbitals[:, :n], state.orbitals[:, n:]
    moments, strengths = lengths(states, state.orbitals, dipole, factor)
    moments_bar = factor * np.sqrt(2.0) * 4.0 / 3.0 * (w * strengths_bar)[:, None]
    moments_bar = moments_bar * moments
    X_bar = np.tensordot(moments_bar, occ.T @ dipole @ vir, 1)
    bar, *_ = vectors_adjoint(states, state, between, w, strengths_bar * strengths / w, X_bar)
    along = np.tensordot(moments_bar, dipole, 1)
    rotation = (occ.T @ along @ occ @ X - X @ (vir.T @ along @ vir)).sum(axis=0)
    turned = occ @ over_gaps(state, rotation) @ vir.T
    dipole_bar = np.tensordot(moments_bar.T, occ @ X @ vir.T, 1)
    return (
        replace(bar, hamiltonian=bar.hamiltonian + turned + turned.T),
        0.5 * (dipole_bar + dipole_bar.transpose(0, 2, 1)),
    )
