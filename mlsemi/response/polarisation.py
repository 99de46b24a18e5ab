"""The linear system of theory eq 17: what charges make of a potential that they make themselves."""

from __future__ import annotations

import numpy as np

from mlsemi.errors import ConvergenceError
from mlsemi.response.surroundings import Embedding
from mlsemi.response.susceptibility import Induction

RESIDUAL = 1e-13
"""Relative residual of the linear system for the potential."""

RUNAWAY = 2.0
"""Electrons that polarisation may move to or from one atom."""


def polarise(
    embedding: Embedding,
    gamma: np.ndarray,
    by_electrons: np.ndarray,
    own_moments: np.ndarray,
    induction: Induction,
) -> tuple[np.ndarray, np.ndarray]:
    """Moments x and potential u of eq 17, for the moments dq that the electrons bring.

    Parameters
    ----------
    embedding : Embedding
    gamma : (n_atom, n_atom) array
    by_electrons : (n_atom, 4) array
        dq.
    own_moments : (n_atom, 4) array
        q_0.
    induction : Induction

    Raises
    ------
    ConvergenceError
        If the linear system does not converge, or an atom would take or give more than ``RUNAWAY``
        electrons.
    """
    source = embedding.reaction(own_moments + by_electrons) + embedding.external
    source[:, 0] += gamma @ by_electrons[:, 0]
    u = screened(induction, embedding, gamma, source)
    induced = induction(u)
    most = np.abs(induced[:, 0]).max(initial=0.0)
    if most > RUNAWAY:
        raise ConvergenceError(
            f"the polarisation runs away: to first order an atom would take or give {most:.0f} "
            "electrons; this charge in these surroundings is beyond the response"
        )
    return by_electrons + induced, u


def screened(
    induction: Induction, embedding: Embedding, gamma: np.ndarray, source: np.ndarray
) -> np.ndarray:
    """(n_atom, 4) potential u = source + (gamma + K) x(u).

    Parameters
    ----------
    induction : Induction
    embedding : Embedding
    gamma : (n_atom, n_atom) array
    source : (n_atom, 4) array

    Raises
    ------
    ConvergenceError
        If the linear system does not converge.
    """
    if not source.any():
        return source

    def unscreened(flat: np.ndarray) -> np.ndarray:
        u = flat.reshape(source.shape)
        induced = induction(u)
        answer = embedding.reaction(induced)
        answer[:, 0] += gamma @ induced[:, 0]
        return (u - answer).ravel()

    from scipy.sparse.linalg import LinearOperator, gmres  # slow to import

    system = LinearOperator((source.size, source.size), unscreened, dtype=float)
    found, failed = gmres(system, source.ravel(), rtol=RESIDUAL, restart=source.size, maxiter=20)
    if failed:
        raise ConvergenceError("the response of the charges did not converge")
    return np.asarray(found.reshape(source.shape))
