"""Intensities of excited states: transition moments, oscillator and rotatory strengths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlsemi.excitations import ExcitedStates


def intensities(
    states: ExcitedStates,
    orbitals: np.ndarray,
    dipole: np.ndarray,
    velocity: np.ndarray,
    angular: np.ndarray,
    origin: np.ndarray,
    factor: float = 1.0,
) -> ExcitedStates:
    """Add transition dipoles, oscillator and rotatory strengths.

    For singlets, with <0|O|n> = c sqrt(2) sum_ia X_ia <i|O|a> (X + Y for r and X - Y for the
    antisymmetric operators in the full response; c a common factor), r = <0|r|n>,
    v = <0|d/dr|n> and l = <0|(r - origin) x d/dr|n>:

    - f = 2/3 w r.r in the length form, 2/3 v.v / w in the velocity form;
    - R = v.l / (2 w) in the velocity form, r.l / 2 in the length form. Both are
      Im <0|mu|n>.<n|m|0> with mu = -r, m = -(r x p)/2; they are equal for exact states, where
      r = v / w. A shift of the origin adds a vector times v to l: the velocity form does not
      notice, the length form does.

    Triplets have none (no spin-orbit coupling).

    Parameters
    ----------
    states : ExcitedStates
    orbitals : (n_orbital, n_orbital) array
        Columns, in the frame of the operators.
    dipole, velocity, angular : (3, n_orbital, n_orbital) arrays
        <m|r|n>, <m|d/dr|n>, <m|r x d/dr|n> about the origin of the coordinates, between atomic or
        Loewdin orbitals, atomic units.
    origin : (3,) array
        Of the angular momentum in the length form of R, bohr.
    factor : float
        c, of all moments (:class:`mlsemi.response_constants.ExcitationParameters`).

    Returns
    -------
    ExcitedStates with all intensities.
    """
    if states.multiplicity == "triplet":
        none = np.zeros(states.n_state)
        return replace(
            states,
            transition_dipoles=np.zeros((states.n_state, 3)),
            oscillator_strengths=none,
            rotatory_strengths=none,
            velocity_strengths=none,
            rotatory_lengths=none,
        )
    X, Y = states.amplitudes, states.deexcitations
    symmetric, antisymmetric = (X, X) if Y is None else (X + Y, X - Y)
    r, v, l = (
        factor * _transition_moments(vectors, orbitals, operator)
        for vectors, operator in (
            (symmetric, dipole),
            (antisymmetric, velocity),
            (antisymmetric, angular),
        )
    )
    local = l - np.cross(origin, v)
    return replace(
        states,
        transition_dipoles=r,
        oscillator_strengths=2.0 / 3.0 * states.energies * (r**2).sum(axis=1),
        velocity_strengths=2.0 / 3.0 * (v**2).sum(axis=1) / states.energies,
        rotatory_strengths=0.5 * (v * local).sum(axis=1) / states.energies,
        rotatory_lengths=0.5 * (r * local).sum(axis=1),
    )


def _transition_moments(
    vectors: np.ndarray, orbitals: np.ndarray, operator: np.ndarray
) -> np.ndarray:
    """(n_state, 3) moments sqrt(2) sum_ia X_ia <i|O|a>."""
    n = vectors.shape[1]
    between = orbitals[:, :n].T @ operator @ orbitals[:, n:]
    return np.sqrt(2.0) * np.tensordot(vectors, between, axes=((1, 2), (1, 2)))
