"""Two-electron integrals of the response: atomic monopoles plus one-center exchange.

In the Loewdin frame every orbital product is reduced to what it looks like on single atoms
(theory eq 7): charges interact through the screened gamma^J and gamma^K of theory eq 8, and
s-p dipoles and p-p quadrupoles interact on their own atom only. The latter are the one-center
exchange integrals of INDO. Monopoles see nothing of an n-pi* transition density; these
integrals are what separates its singlet from its triplet.

A third interaction, gamma^F, corrects the orbital energies for the exact exchange that the
functional behind H lacks, above all at large distance (theory eq 9a).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mlsemi.excited.constants import Scalars
from mlsemi.kernels import response
from mlsemi.molecule.structure import read_only

CACHE_BYTES = 15_000_000
"""Transition densities or charges held at once: what a cache holds."""


@dataclass(frozen=True, eq=False)
class Interaction:
    """Two-electron interaction of transition densities in the Loewdin frame of one geometry.

    Build it with :func:`interaction`. It may carry per-atom values that depend on the
    environment: nothing below asks for elements.

    Attributes
    ----------
    positions : (n_atom, 3) array, bohr
    orbital_atom : (n_orbital,) int array
    s_orbital, p_orbital : (n_atom,) int arrays
        First orbital of the s and p shell of each atom, -1 where there is none.
    hardness : (n_atom,) array, hartree
    exchange : (n_atom, 2) array
        K_sp, K_pp of each atom, hartree.
    scalars : Scalars
        The constants that no element owns.
    gamma_j, gamma_k : (n_atom, n_atom) arrays, hartree
        theory eq 8.
    gamma_f : (n_atom, n_atom) array, hartree
        theory eq 9a.
    """

    positions: np.ndarray
    orbital_atom: np.ndarray
    s_orbital: np.ndarray
    p_orbital: np.ndarray
    hardness: np.ndarray
    exchange: np.ndarray
    scalars: Scalars
    gamma_j: np.ndarray
    gamma_k: np.ndarray
    gamma_f: np.ndarray

    @property
    def n_atom(self) -> int:
        """Number of atoms."""
        return self.hardness.size

    @property
    def exchanging(self) -> np.ndarray:
        """Atoms with an s and a p shell and a one-center exchange constant that is not zero."""
        shells = (self.s_orbital >= 0) & (self.p_orbital >= 0)
        return np.flatnonzero(shells & self.exchange.any(axis=1))


def interaction(
    positions: np.ndarray,
    orbital_atom: np.ndarray,
    orbital_l: np.ndarray,
    hardness: np.ndarray,
    exchange: np.ndarray,
    scalars: Scalars,
) -> Interaction:
    """Screened interactions of one geometry, theory eqs 8 and 9a.

    Parameters
    ----------
    positions : (n_atom, 3) array
        Bohr.
    orbital_atom, orbital_l : (n_orbital,) int arrays
        Atom and angular momentum of each orbital, at most one s and one p shell per atom.
    hardness : (n_atom,) array
        Hartree.
    exchange : (n_atom, 2) array
        K_sp, K_pp, hartree.
    scalars : Scalars
    """
    positions, hardness = read_only(positions), read_only(hardness)
    return Interaction(
        positions,
        read_only(orbital_atom, np.int64),
        _first_of_shell(orbital_atom, orbital_l, 0, hardness.size),
        _first_of_shell(orbital_atom, orbital_l, 1, hardness.size),
        hardness,
        read_only(exchange),
        scalars,
        response.screened(positions, hardness, scalars.ax, scalars.beta_j),
        response.screened(positions, hardness, 1.0, scalars.alpha_k),
        response.missing_exchange(positions, hardness, scalars.fock_near, scalars.fock_far),
    )


def fock_correction(between: Interaction, density: np.ndarray) -> np.ndarray:
    """Exchange that H_o lacks, -1/2 P_mn gamma^F_AB (theory eq 9a), (n_orbital, n_orbital)."""
    atoms = between.orbital_atom
    return -0.5 * density * between.gamma_f[atoms][:, atoms]


def _first_of_shell(
    orbital_atom: np.ndarray, orbital_l: np.ndarray, l: int, n_atom: int
) -> np.ndarray:
    first = np.full(n_atom, -1, dtype=np.int64)
    orbitals = np.flatnonzero(np.asarray(orbital_l) == l)
    # written backwards, so that the first orbital of a shell stays
    first[np.asarray(orbital_atom)[orbitals[::-1]]] = orbitals[::-1]
    return first


def respond(
    between: Interaction,
    occupied: np.ndarray,
    virtual: np.ndarray,
    X: np.ndarray,
    factor: float,
    onto: tuple[np.ndarray, np.ndarray] | None = None,
    rows: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Apply factor (ia|jb) - (ij|ab) to vectors without storing the matrix.

    A X of theory eq 9 without the orbital energies. X is carried to the Loewdin frame
    (X_AO = C_occ X C_vir^T), where the interaction of charges at a distance is an element-wise
    product and all else stays on single atoms, and back: O(n_orbital^3) per vector, all of it
    BLAS. A few vectors at a time, so that what is between the products stays in the cache.

    Parameters
    ----------
    between : Interaction
    occupied, virtual : (n_orbital, n_occ), (n_orbital, n_vir) arrays
    X : (n_vector, n_occ, n_vir) array
    factor : float
        s_K of theory eq 9.
    onto : (n_orbital, m_occ), (n_orbital, m_vir) arrays, optional
        Orbitals between which A X is wanted, if not those of X.
    rows : (m,), (n,) int arrays, optional
        Functions on which the occupied and on which the virtual orbitals of X do not vanish; all
        by default.

    Returns
    -------
    (n_vector, m_occ, m_vir) array.
    """
    left, right = onto or (occupied, virtual)
    of_occ, of_vir = rows or 2 * (np.arange(between.orbital_atom.size),)
    occ, vir = np.ascontiguousarray(occupied[of_occ]), np.ascontiguousarray(virtual[of_vir])
    n, n_left, n_right = between.orbital_atom.size, left.shape[1], right.shape[1]
    right_of_vir = np.ascontiguousarray(right[of_vir])
    out = np.empty((len(X), n_left, n_right), X.dtype)
    step = max(1, CACHE_BYTES // (of_occ.size * of_vir.size * X.dtype.itemsize))
    for first in range(0, len(X), step):
        part = X[first : first + step]
        density = transition_density(occ, vir, part)
        blocks = _on_atoms(between, density, factor, of_occ, of_vir)
        _screen(between, density, of_occ, of_vir)
        half = np.zeros((n, len(part), n_right), X.dtype)
        far = density.reshape(-1, of_vir.size) @ right_of_vir
        half[of_occ] = far.reshape(of_occ.size, len(part), n_right)
        response.add_on_atoms(blocks, between.s_orbital, between.p_orbital, right, half)
        image = (left.T @ half.reshape(n, -1)).reshape(n_left, len(part), n_right)
        out[first : first + step] = image.transpose(1, 0, 2)
    return out


def respond_swapped(
    between: Interaction, occupied: np.ndarray, virtual: np.ndarray, X: np.ndarray, factor: float
) -> np.ndarray:
    """Apply factor (ia|bj) - (ib|aj), the matrix B of theory eq 9b; arguments as :func:`respond`.

    (ib|aj) acts on X as (ij|ab) does on its transpose in the Loewdin frame, with ax gamma^K
    instead of gamma^J (Bannwarth, Grimme, Comput. Theor. Chem. 1040, 45 (2014)).
    """
    swapped = replace(between, gamma_j=between.scalars.ax * between.gamma_k)
    transposed = X.transpose(0, 2, 1)
    return respond(swapped, virtual, occupied, transposed, factor, (occupied, virtual))


def transition_density(occupied: np.ndarray, virtual: np.ndarray, X: np.ndarray) -> np.ndarray:
    """X_AO = C_occ X C_vir^T as (n_row, n_vector, n_column): vectors stand in the middle.

    Parameters
    ----------
    occupied, virtual : (n_orbital, n_occ), (n_orbital, n_vir) arrays
    X : (n_vector, n_occ, n_vir) array
    """
    n_vector, n_occ, n_vir = X.shape
    flat = np.ascontiguousarray(X.transpose(1, 0, 2)).reshape(n_occ, n_vector * n_vir)
    half = (occupied @ flat).reshape(-1, n_vir)
    return (half @ virtual.T).reshape(len(occupied), n_vector, len(virtual))


def to_potential(between: Interaction, transition: np.ndarray, factor: float) -> None:
    """Overwrite transition densities (n_orbital, n_vector, n_orbital) by their potentials.

    Parameters
    ----------
    between : Interaction
    transition : (n_orbital, n_vector, n_orbital) array
        Overwritten.
    factor : float
        s_K of theory eq 9.
    """
    every, one = np.arange(len(transition)), np.eye(len(transition))
    blocks = _on_atoms(between, transition, factor, every, every)
    _screen(between, transition, every, every)
    response.add_on_atoms(blocks, between.s_orbital, between.p_orbital, one, transition)


def _screen(
    between: Interaction, transition: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> None:
    """Overwrite transition densities between some functions by -gamma^J o X."""
    atoms = between.orbital_atom
    response.screen(transition, atoms[rows], atoms[columns], between.gamma_j)


def _on_atoms(
    between: Interaction,
    transition: np.ndarray,
    factor: float,
    rows: np.ndarray,
    columns: np.ndarray,
) -> np.ndarray:
    """(n_vector, n_atom, 4, 4) potentials that stay on single atoms.

    Those of the charges everywhere and of one-center exchange, of transition densities
    (n_row, n_vector, n_column) between some functions.
    """
    n_vector = transition.shape[1]
    places = np.full((2, between.orbital_atom.size), -1)
    places[0, rows], places[1, columns] = np.arange(rows.size), np.arange(columns.size)
    blocks = np.zeros((n_vector, between.n_atom, 4, 4))
    if between.exchanging.size:
        response.one_center_blocks(
            transition,
            places,
            between.s_orbital,
            between.p_orbital,
            between.exchange,
            factor,
            between.scalars.ax_one_center,
            blocks,
        )
    if factor:
        charges = np.zeros((between.n_atom, n_vector))
        response.monopole_charges(transition, places, between.orbital_atom, charges)
        potential = factor * (between.gamma_k @ charges)
        blocks += potential.T[:, :, None, None] * np.eye(4)
    return blocks


def interaction_matrix(
    between: Interaction,
    occupied: np.ndarray,
    virtual: np.ndarray,
    configurations: tuple[np.ndarray, np.ndarray],
    factor: float,
) -> np.ndarray:
    """Matrix factor (ia|jb) - (ij|ab) of selected configurations.

    Parameters
    ----------
    between : Interaction
    occupied, virtual : (n_orbital, n_occ), (n_orbital, n_vir) arrays
    configurations : tuple of (n,) int arrays
        Columns of ``occupied`` and ``virtual``.
    factor : float
        s_K of theory eq 9.

    Returns
    -------
    (n, n) symmetric array, hartree.
    """
    active_occ, i = np.unique(configurations[0], return_inverse=True)
    active_vir, a = np.unique(configurations[1], return_inverse=True)
    occ = np.ascontiguousarray(occupied[:, active_occ].T)
    vir = np.ascontiguousarray(virtual[:, active_vir].T)
    weight = between.scalars.ax_one_center
    vir_vir = _contract(between, between.gamma_j, weight, _multipoles(between, vir, vir))
    matrix = -response.coulomb_elements(_multipoles(between, occ, occ), vir_vir, i, a)
    if factor:
        q = _multipoles(between, occ, vir)[i, a]
        matrix += factor * (q @ _contract(between, between.gamma_k, 1.0, q).T)
    return matrix


def _multipoles(between: Interaction, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(n_left, n_right, n_channel) transition multipoles of orbitals given as rows."""
    heavy = between.exchanging
    channel = np.full(between.n_atom, -1, dtype=np.int64)
    channel[heavy] = between.n_atom + 8 * np.arange(heavy.size)
    return response.transition_multipoles(
        left,
        right,
        between.orbital_atom,
        between.s_orbital,
        between.p_orbital,
        channel,
        between.n_atom + 8 * heavy.size,
    )


def _contract(
    between: Interaction, gamma: np.ndarray, scale: float, multipoles: np.ndarray
) -> np.ndarray:
    """Multiply multipoles by their interaction: gamma between charges, K on single atoms."""
    n = between.n_atom
    constants = np.repeat(between.exchange[between.exchanging], (3, 5), axis=1)
    out = np.empty_like(multipoles)
    out[..., :n] = multipoles[..., :n] @ gamma
    out[..., n:] = multipoles[..., n:] * (scale * constants.ravel())
    return out


def diagonal(
    between: Interaction, occupied: np.ndarray, virtual: np.ndarray, factor: float
) -> np.ndarray:
    """Monopole part of factor (ia|ia) - (ii|aa), (n_occ, n_vir), hartree.

    Computed in the precision of the orbitals.

    Parameters
    ----------
    between : Interaction
    occupied, virtual : (n_orbital, n_occ), (n_orbital, n_vir) arrays
    factor : float
        s_K of theory eq 9.
    """
    kind = occupied.dtype
    gamma_j, gamma_k = between.gamma_j.astype(kind), between.gamma_k.astype(kind)
    starts = _atom_starts(between)
    q_ii = np.add.reduceat(occupied**2, starts, axis=0)
    q_aa = np.add.reduceat(virtual**2, starts, axis=0)
    out = -(q_ii.T @ (gamma_j @ q_aa))
    if factor:
        ends = (*starts[1:], occupied.shape[0])
        n_vir = virtual.shape[1]
        step = max(1, CACHE_BYTES // (kind.itemsize * between.n_atom * n_vir))
        for first in range(0, occupied.shape[1], step):
            some = occupied[:, first : first + step]
            parts = [some[s:e].T @ virtual[s:e] for s, e in zip(starts, ends, strict=True)]
            q_ia = np.array(parts).reshape(between.n_atom, -1)
            exchange = np.einsum("Ax,Ax->x", q_ia, gamma_k @ q_ia)
            out[first : first + step] += factor * exchange.reshape(-1, n_vir)
    return out


def _atom_starts(between: Interaction) -> np.ndarray:
    return np.searchsorted(between.orbital_atom, np.arange(between.n_atom))
