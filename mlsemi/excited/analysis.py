"""What kind of states the excited states are: hole and electron, character, charge transfer.

The hole is the density matrix X X^T of an excitation among the occupied orbitals, the electron
X^T X among the virtual ones, with X normalised to one. In the Tamm-Dancoff approximation they are
the detachment and attachment densities (Head-Gordon, Grana, Maurice, White, J. Phys. Chem. 99,
14261 (1995)). Everything is evaluated in the Loewdin frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlsemi.brief import Brief
from mlsemi.errors import InputError
from mlsemi.excited.states import Excitations
from mlsemi.molecule.elements import symbol
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.orbitals.observables import shells_of
from mlsemi.symmetry.so3 import XYZ

BONDED = 0.5
"""Bond index sum P_mn^2 in the Loewdin frame above which two atoms are neighbours."""

FLAT = 0.15
"""A direction is out of plane if sum_j (u_j . n)^2 over neighbours is below this share of its
largest value: 0 in a plane, 0.08 in C60, 0.33 in ammonia, 1 at a tetrahedral atom."""

ALIGNED = 0.5
"""Squared overlap of out-of-plane directions that makes the pi system of two neighbours."""

LONE_PAIRS = frozenset({"N", "O", "F", "P", "S", "Cl"})
"""Elements whose other valence orbitals count as n."""


@dataclass(frozen=True, eq=False, repr=False)
class Transitions(Brief):
    """Analysis of the excited states of one multiplicity.

    Attributes
    ----------
    participation_ratios : (n_state,) array
        1 / sum_k l_k^2 over the weights l_k of the natural transition orbital pairs: how many pairs
        take part.
    detachment, attachment : (n_state, n_atom) arrays
        Electrons taken from and put on each atom; each row adds up to one.
    hole : (n_state, 3) array
        Shares of pi, n and sigma orbitals in the hole.
    electron : (n_state, 2) array
        Shares of pi and sigma orbitals in the electron.
    displacements : (n_state,) array
        Distance of the centroids of hole and electron, bohr.
    fragments : tuple of tuples of int
        Atoms of each fragment.
    charge_transfer : (n_state, n_fragment, n_fragment) array
        Omega_FG = sum of squares of the transition density with the hole on F and the electron on
        G (Plasser, Lischka, J. Chem. Theory Comput. 8, 2777 (2012)); adds up to one.
    """

    participation_ratios: np.ndarray
    detachment: np.ndarray
    attachment: np.ndarray
    hole: np.ndarray
    electron: np.ndarray
    displacements: np.ndarray
    fragments: tuple[tuple[int, ...], ...]
    charge_transfer: np.ndarray

    @property
    def charge_transfer_numbers(self) -> np.ndarray:
        """(n_state,) share of excitations that change the fragment, sum over F != G of Omega."""
        stay = np.einsum("kff->k", self.charge_transfer)
        return self.charge_transfer.sum(axis=(1, 2)) - stay

    @property
    def labels(self) -> tuple[str, ...]:
        """``pi-pi*``, ``n-pi*``, ``sigma-pi*``, ``pi-sigma*``, ... of each state."""
        names = ("pi", "n", "sigma")
        return tuple(
            f"{names[int(h.argmax())]}-{('pi', 'sigma')[int(e.argmax())]}*"
            for h, e in zip(self.hole, self.electron, strict=True)
        )


def analyse(
    states: Excitations,
    state: ElectronicState,
    structure: Structure,
    orbital_l: np.ndarray,
    orbital_atom: np.ndarray,
    fragments: Sequence[Sequence[int]] | None = None,
) -> Transitions:
    """Analysis of excited states.

    Parameters
    ----------
    states : Excitations
    state : ElectronicState
    structure : Structure
    orbital_l, orbital_atom : (n_orbital,) int arrays
    fragments : sequence of sequences of int, optional
        Atoms of each fragment; those named nowhere make one more. Default: the molecules, that
        is atoms joined by bonds.

    Raises
    ------
    InputError
        If a fragment names an atom that does not exist, or one twice.
    """
    n, C, X = state.n_occupied, state.orbitals, states.amplitudes
    X = X / np.sqrt(np.sum(X**2, axis=(1, 2), keepdims=True))
    on_atom = (orbital_atom[:, None] == np.arange(structure.n_atom)).astype(np.float64)
    bonds = bond_indices(state, on_atom) > BONDED
    p_atoms, p_orbitals = orbital_atom[orbital_l == 1][::3], np.flatnonzero(orbital_l == 1)[::3]
    planes = pi_directions(structure.positions, bonds, p_atoms)
    named = fragments_of(structure.n_atom, bonds, fragments)
    on_fragment = on_atom @ np.array([np.isin(np.arange(structure.n_atom), f) for f in named]).T
    detachment, attachment = np.empty((2, states.n_state, structure.n_atom))
    pi_hole, pi_electron = np.zeros((2, states.n_state, structure.n_atom))
    omega = np.empty((states.n_state, len(named), len(named)))
    for k, x in enumerate(X):
        density = C[:, :n] @ x @ C[:, n:].T
        squared = density**2
        detachment[k], attachment[k] = squared.sum(axis=1) @ on_atom, squared.sum(axis=0) @ on_atom
        omega[k] = on_fragment.T @ squared @ on_fragment
        for out, rows in ((pi_hole, density), (pi_electron, density.T)):
            shells = rows[p_orbitals[:, None] + XYZ]
            out[k, p_atoms] = np.einsum("axm,aym,axy->a", shells, shells, planes[p_atoms])
    lone = np.array([symbol(z) in LONE_PAIRS for z in structure.numbers.tolist()])
    pi, n_share, pi_star = pi_hole.sum(1), (detachment - pi_hole) @ lone, pi_electron.sum(1)
    return Transitions(
        participation_ratios=_participation(X),
        detachment=detachment,
        attachment=attachment,
        hole=np.stack([pi, n_share, 1.0 - pi - n_share], axis=1),
        electron=np.stack([pi_star, 1.0 - pi_star], axis=1),
        displacements=np.linalg.norm((attachment - detachment) @ structure.positions, axis=1),
        fragments=named,
        charge_transfer=omega,
    )


def _participation(X: np.ndarray) -> np.ndarray:
    """1 / sum_k l_k^2 with sum_k l_k = 1: the trace of (X X^T)^2 needs no decomposition."""
    gram = X @ X.transpose(0, 2, 1)
    return 1.0 / np.sum(gram**2, axis=(1, 2))


def bond_indices(state: ElectronicState, on_atom: np.ndarray) -> np.ndarray:
    """(n_atom, n_atom) Wiberg bond indices sum P_mn^2 in the Loewdin frame; zero diagonal.

    Wiberg, Tetrahedron 24, 1083 (1968). ``on_atom`` (n_orbital, n_atom) is one where an orbital
    belongs to an atom.
    """
    indices = on_atom.T @ state.closed_density**2 @ on_atom
    np.fill_diagonal(indices, 0.0)
    return indices


def pi_directions(positions: np.ndarray, bonds: np.ndarray, p_atoms: np.ndarray) -> np.ndarray:
    """Projectors on the directions of each atom that belong to a pi system, (n_atom, 3, 3).

    Out of plane are the directions in which an atom has no neighbours, among its bonds (a
    terminal atom borrows those of its neighbour). They are pi if a neighbour has them too: the
    lone pair of water is out of plane but not pi.

    Parameters
    ----------
    positions : (n_atom, 3) array
    bonds : (n_atom, n_atom) bool array
    p_atoms : (m,) int array
        Atoms that have p orbitals.
    """
    flat = np.zeros((len(positions), 3, 3))
    for atom in p_atoms.tolist():
        flat[atom] = _out_of_plane(positions, bonds, atom)
    out = np.zeros_like(flat)
    for atom in p_atoms.tolist():
        for other in np.flatnonzero(bonds[atom]):
            shared = np.einsum("xy,yz,zw->xw", flat[atom], flat[other], flat[atom])
            values, vectors = np.linalg.eigh(shared)
            kept = vectors[:, values > ALIGNED]
            candidate = kept @ kept.T
            if np.trace(candidate) > np.trace(out[atom]):
                out[atom] = candidate
    return out


def _out_of_plane(positions: np.ndarray, bonds: np.ndarray, atom: int) -> np.ndarray:
    """Projector on directions without neighbours; nothing for an atom without bonds."""
    near = np.flatnonzero(bonds[atom])
    arrows = positions[near] - positions[atom]
    if near.size == 1:
        further = np.flatnonzero(bonds[near[0]])
        arrows = np.concatenate(
            [arrows, positions[further[further != atom]] - positions[near[0]]], axis=0
        )
    if not arrows.size:
        return np.zeros((3, 3))
    unit = arrows / np.linalg.norm(arrows, axis=1)[:, None]
    values, vectors = np.linalg.eigh(unit.T @ unit)
    kept = vectors[:, values < FLAT * values[-1]]
    return kept @ kept.T


def fragments_of(
    n_atom: int, bonds: np.ndarray, named: Sequence[Sequence[int]] | None
) -> tuple[tuple[int, ...], ...]:
    """Fragments as given, completed by the atoms that none of them names; or the molecules.

    Parameters
    ----------
    n_atom : int
    bonds : (n_atom, n_atom) bool array
    named : sequence of sequences of int, or None
        Atoms of each fragment.

    Raises
    ------
    InputError
        If an atom does not exist or stands in two fragments.
    """
    if named is None:
        from scipy.sparse.csgraph import connected_components  # slow to import

        label = connected_components(bonds, directed=False)[1]
        return tuple(tuple(np.flatnonzero(label == k).tolist()) for k in range(label.max() + 1))
    every = [atom for part in named for atom in part]
    for atom in every:
        if not 0 <= atom < n_atom:
            raise InputError(f"fragment atom {atom} does not exist: atoms are 0 to {n_atom - 1}")
        if every.count(atom) > 1:
            raise InputError(f"atom {atom} stands in two fragments")
    rest = tuple(sorted(set(range(n_atom)) - set(every)))
    return tuple(tuple(part) for part in named if part) + ((rest,) if rest else ())


def excitation_populations(
    structure: Structure, state: ElectronicState, states: Excitations
) -> np.ndarray:
    """(n_state, n_shell) populations of the particle minus those of the hole."""
    occ, X, vir = states.between(state.orbitals)
    particle = np.sum((X @ vir.T) ** 2, axis=1)
    hole = np.sum((np.swapaxes(X, 1, 2) @ occ.T) ** 2, axis=1)
    return np.add.reduceat(particle - hole, shells_of(structure)[2], axis=1)
