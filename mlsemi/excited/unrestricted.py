"""Excited states of open shells: simplified Tamm-Dancoff states of alpha and beta orbitals.

theory eq 9c: configurations of both spins, none of which turns a spin,

    A_(ia s, jb t) = delta_st [delta_ij delta_ab (eps_a - eps_i) - (ij|ab)] + (ia|jb)

with the integrals of the closed shell. Where alpha and beta orbitals are equal the sums of both
spins are its singlets, and the differences its triplets.

The orbitals of both spins stand side by side (:class:`SpinOrbitals`), occupied ones first, so that
amplitudes are one matrix of two blocks and whatever is asked of a transition density has its sum
over the spins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mlsemi.errors import InputError
from mlsemi.excited.completeness import Linear
from mlsemi.excited.excitations import RESIDUAL, excite, phases
from mlsemi.excited.interaction import Interaction, interaction_matrix, respond
from mlsemi.excited.method import EXACT, TDA, Method
from mlsemi.excited.states import Excitations, Multiplicity
from mlsemi.excited.tamm_dancoff import TammDancoff, solve_below
from mlsemi.orbitals.eigen import ElectronicState

SHARED = 0.1
"""Occupations farther than this from 1 and 0 are those of levels that share electrons."""


@dataclass(frozen=True, eq=False, repr=False)
class SpinOrbitals(ElectronicState):
    """Orbitals of both spins side by side, one electron each; made by :meth:`of`.

    Attributes
    ----------
    n_alpha : tuple of int
        Occupied and virtual alpha orbitals, which come before those of beta in either space.
    """

    n_alpha: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, alpha: ElectronicState, beta: ElectronicState) -> SpinOrbitals:
        """Orbitals of two states."""
        n, m = alpha.n_occupied, beta.n_occupied
        of_alpha, of_beta = (np.vstack([s.energies, s.orbitals]) for s in (alpha, beta))
        every = np.hstack([of_alpha[:, :n], of_beta[:, :m], of_alpha[:, n:], of_beta[:, m:]])
        return cls(every[0], every[1:], n + m, n_alpha=(n, alpha.energies.size - n))

    @cached_property
    def closed_density(self) -> np.ndarray:
        """(n_orbital, n_orbital) density matrix of both spins."""
        occupied = self.orbitals[:, : self.n_occupied]
        return np.asarray(occupied @ occupied.T)


class UnrestrictedTammDancoff(TammDancoff):
    """The eigenproblem of theory eq 9c; configurations of alpha stand before those of beta."""

    def __init__(self, alpha: ElectronicState, beta: ElectronicState, between: Interaction) -> None:
        self.between = between
        # (ia|jb) - (ij|ab) within a spin
        self.spins = tuple(TammDancoff(state, between, 1.0) for state in (alpha, beta))
        self.sizes = tuple(spin.n_configuration for spin in self.spins)
        self.n_configuration = sum(self.sizes)
        self.gaps = np.concatenate([spin.gaps for spin in self.spins])
        first = self.spins[0].families
        self.families = np.concatenate([first, self.spins[1].families + first.max(initial=-1) + 1])
        # charges and one-center exchange of (ia|jb), which is all that couples the spins
        self.coulomb = replace(
            between,
            gamma_j=np.zeros_like(between.gamma_j),
            scalars=between.scalars._replace(ax_one_center=0.0),
        )

    @cached_property
    def diagonal(self) -> np.ndarray:
        """(n_configuration,) diagonal of A without one-center terms; it only guides iterations."""
        return np.concatenate([spin.diagonal for spin in self.spins])

    def parts(self, vectors: np.ndarray) -> list[np.ndarray]:
        """(k, n_occ, n_vir) amplitudes of alpha and of beta of rows of vectors."""
        split = np.split(vectors, [self.sizes[0]], axis=1)
        return [
            x.reshape(len(vectors), spin.n_occ, spin.n_vir)
            for x, spin in zip(split, self.spins, strict=True)
        ]

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """A x for the rows of ``vectors``, in their precision."""
        kind, X = vectors.dtype, self.parts(vectors)
        orbitals = [(s.occupied.astype(kind), s.virtual.astype(kind)) for s in self.spins]
        images = []
        for s, t in ((0, 1), (1, 0)):
            image = respond(self.between, *orbitals[s], X[s], 1.0)
            image += respond(self.coulomb, *orbitals[t], X[t], 1.0, orbitals[s])
            images.append(image.reshape(len(vectors), -1))
        return np.hstack(images) + self.gaps.astype(kind) * vectors

    def in_single_precision(self) -> Linear:
        """:meth:`apply`, which works in the precision of its vectors."""
        return self.apply

    def couplings(self, chosen: np.ndarray) -> np.ndarray:
        """A among the ``chosen`` configurations, without the orbital energies."""
        out = np.zeros((chosen.size, chosen.size))
        every = np.empty((2, chosen.size), dtype=np.int64)
        before = np.zeros(3, dtype=np.int64)
        for spin, size in zip(self.spins, self.sizes, strict=True):
            own = (chosen >= before[0]) & (chosen < before[0] + size)
            if own.any():
                pairs = np.divmod(chosen[own] - before[0], spin.n_vir)
                exchange = interaction_matrix(self.between, spin.occupied, spin.virtual, pairs, 0.0)
                out[np.ix_(own, own)] = exchange
                every[:, own] = pairs + before[1:, None]
            before += (size, spin.n_occ, spin.n_vir)
        occ, vir = (np.hstack([getattr(s, n) for s in self.spins]) for n in ("occupied", "virtual"))
        return out + interaction_matrix(self.coulomb, occ, vir, (every[0], every[1]), 1.0)

    def over_states(self, vectors: np.ndarray) -> np.ndarray:
        """(k, n_occ, n_vir) amplitudes between the orbitals of both states, side by side."""
        parts = self.parts(vectors)
        rows, columns = (sum(x.shape[axis] for x in parts) for axis in (1, 2))
        out = np.zeros((len(vectors), rows, columns))
        n, m = parts[0].shape[1:]
        out[:, :n, :m] = self.spins[0].orbitals.over_state(parts[0])
        out[:, n:, m:] = self.spins[1].orbitals.over_state(parts[1])
        return out


def excite_unrestricted(
    alpha: ElectronicState,
    beta: ElectronicState,
    between: Interaction,
    n_states: int | None,
    max_energy: float | None = None,
    tolerance: float = RESIDUAL,
) -> Excitations:
    """Lowest excited states of an open shell, of the same number of alpha and beta electrons.

    Parameters
    ----------
    alpha, beta : ElectronicState
    between : Interaction
    n_states : int, optional
        Number of states; None with ``max_energy``: all of them.
    max_energy : float, optional
        Upper bound of the excitation energies, hartree.
    tolerance : float
        Residual norm, hartree.

    Raises
    ------
    InputError
        If degenerate orbitals share electrons.
    ConvergenceError
        If the iteration does not converge.
    """
    check_integer(alpha, beta)
    problem = UnrestrictedTammDancoff(alpha, beta, between)
    if max_energy is None:
        found = problem.solve(n_states or 0, tolerance)
    else:
        found = solve_below(problem.solve, problem.diagonal, max_energy, n_states, tolerance)
    X = problem.over_states(found.excitations)
    if len(X):
        X = X * phases(X)
    both = SpinOrbitals.of(alpha, beta)
    return Excitations(
        multiplicity="doublet",
        energies=found.energies,
        amplitudes=X,
        n_alpha=both.n_alpha,
        s_squared=spins_squared(X, both),
    )


def check_integer(alpha: ElectronicState, beta: ElectronicState) -> None:
    """Refuse levels that share electrons: which orbital is empty would be arbitrary.

    Parameters
    ----------
    alpha, beta : ElectronicState
        Their occupations are those of both spins.

    Raises
    ------
    InputError
    """
    for name, state in (("alpha", alpha), ("beta", beta)):
        filled = 0.5 * state.occupations
        if np.any((filled > SHARED) & (filled < 1.0 - SHARED)):
            raise InputError(
                f"the highest level of the {name} electrons is degenerate, or hot, and not full: "
                "no excited states of that; distort the molecule, as its own instability does"
            )


def spins_squared(X: np.ndarray, both: SpinOrbitals) -> np.ndarray:
    """(n_state,) <S^2> of excited determinants of both spins.

    With D_s the density and T_s the transition density of spin s, S_z = (n_a - n_b) / 2,

        <S^2> = S_z (S_z + 1) + n_b - tr P_a P_b - tr dD_a P_b - tr P_a dD_b - 2 tr T_a^T T_b

    (<S_- S_+> of all pairs of an alpha and a beta electron; Maurice, Head-Gordon, Int. J. Quantum
    Chem. 56, 361 (1995)).

    Parameters
    ----------
    X : (n_state, n_occ, n_vir) array
        Of norm one, between the orbitals of both spins.
    both : SpinOrbitals
    """
    n, (n_a, v_a) = both.n_occupied, both.n_alpha
    occ, vir, n_b = both.orbitals[:, :n], both.orbitals[:, n:], n - n_a
    oo, ov = occ[:, :n_a].T @ occ[:, n_a:], occ[:, :n_a].T @ vir[:, v_a:]
    vo, vv = vir[:, :v_a].T @ occ[:, n_a:], vir[:, :v_a].T @ vir[:, v_a:]
    a, b = X[:, :n_a, :v_a], X[:, n_a:, v_a:]
    change = np.sum((a @ vo) ** 2, axis=(1, 2))
    change += np.sum((ov @ np.swapaxes(b, 1, 2)) ** 2, axis=(1, 2))
    change -= np.sum((np.swapaxes(a, 1, 2) @ oo) ** 2, axis=(1, 2))
    change -= np.sum((oo @ b) ** 2, axis=(1, 2))
    change += 2.0 * np.einsum("kia,ij,kjb,ab->k", a, oo, b, vv, optimize=True)
    s_z = 0.5 * (n_a - n_b)
    return np.asarray(s_z * (s_z + 1.0) + n_b - np.sum(oo**2) - change)


def lowest(
    spins: tuple[ElectronicState, ElectronicState],
    between: Interaction,
    n_states: int | None,
    multiplicity: Multiplicity,
    max_energy: float | None = None,
    tolerance: float = RESIDUAL,
    method: Method = TDA,
) -> tuple[Excitations, ElectronicState]:
    """Lowest excited states of any multiplicity, and the orbitals that they stand between.

    Parameters
    ----------
    spins : tuple of two ElectronicState
        Of alpha and beta electrons; equal but for doublets.
    between : Interaction
    n_states : int, optional
    multiplicity : "singlet", "triplet" or "doublet"
    max_energy : float, optional
    tolerance : float
    method : Method
        As in :func:`mlsemi.excited.excitations.excite`.

    Raises
    ------
    InputError
        For doublets by another method than Tamm-Dancoff of all configurations.
    """
    how = max_energy, tolerance
    if multiplicity != "doublet":
        return excite(spins[0], between, n_states, multiplicity, *how, method), spins[0]
    if method not in (TDA, EXACT):
        raise InputError("open shells: Tamm-Dancoff of all configurations only (no other method)")
    return excite_unrestricted(*spins, between, n_states, *how), SpinOrbitals.of(*spins)
