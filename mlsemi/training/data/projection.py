"""Projection of a large-basis calculation onto a valence minimal frame (IAO, SAPH).

Everything here is linear algebra on arrays; the quantum chemistry that makes them is in
``training/reference/calculation.py``.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from mlsemi.errors import ParameterError
from mlsemi.molecule.elements import n_orbital_of
from mlsemi.molecule.structure import Structure

WIDTH = 0.05
"""Energy by which the weight of a virtual in the smooth projection falls to 1/e, hartree."""

COMPLETE = 0.7
"""Least part of the virtual frame that a record with all its levels covers."""


def lowdin(matrix: np.ndarray, metric: np.ndarray) -> np.ndarray:
    """Symmetrically orthogonalise the columns of ``matrix``: M (M^T S M)^-1/2.

    Parameters
    ----------
    matrix : (n_basis, k) array
    metric : (n_basis, n_basis) overlap S

    Returns
    -------
    (n_basis, k) array, orthonormal in S.
    """
    gram = matrix.T @ metric @ matrix
    values, vectors = scipy.linalg.eigh(gram)
    return matrix @ (vectors / np.sqrt(values)) @ vectors.T


def iao_frame(
    overlap: np.ndarray, overlap_minimal: np.ndarray, cross: np.ndarray, occupied: np.ndarray
) -> np.ndarray:
    """Intrinsic atomic orbitals of an occupied space (Knizia, JCTC 9, 4834 (2013), eq 2).

    A = [1 + O Ot - O - Ot] P12 with O = C C^T S and Ot = C~ C~^T S, where C~ are the occupied
    orbitals projected onto the minimal basis and back; then symmetrically orthogonalised.

    Parameters
    ----------
    overlap : (n_basis, n_basis)
        Overlap of the large basis.
    overlap_minimal : (n_min, n_min)
        Overlap of the minimal basis.
    cross : (n_basis, n_min)
        Overlap between the two.
    occupied : (n_basis, n_occ)
        Occupied valence orbitals.

    Returns
    -------
    (n_basis, n_min) array, columns orthonormal in ``overlap``; they span ``occupied`` exactly.
    """
    to_large = scipy.linalg.solve(overlap, cross, assume_a="pos")
    to_minimal = scipy.linalg.solve(overlap_minimal, cross.T @ occupied, assume_a="pos")
    depolarised = lowdin(to_large @ to_minimal, overlap)
    projector = occupied @ (occupied.T @ overlap)
    projector_depolarised = depolarised @ (depolarised.T @ overlap)
    both = projector @ (projector_depolarised @ to_large)
    frame = to_large + 2.0 * both - projector @ to_large - projector_depolarised @ to_large
    return lowdin(frame, overlap)


def valence_selection(amplitudes: np.ndarray, n_occupied: int) -> np.ndarray:
    """Choose the n_min large-basis orbitals that the minimal frame represents best.

    All occupied ones, then virtuals greedily: at each step the one with the largest part of its
    projection outside the span of those already chosen (Gram-Schmidt).

    Parameters
    ----------
    amplitudes : (n_min, n_mo) array
        T = <IAO | S | orbital>, occupied orbitals first.
    n_occupied : int

    Returns
    -------
    (n_min,) sorted int array of orbital indices.
    """
    n_min, n_mo = amplitudes.shape
    residual = amplitudes.copy()
    chosen: list[int] = []
    for step in range(min(n_min, n_mo)):
        weight = np.einsum("mp,mp->p", residual, residual)
        weight[chosen] = -1.0
        pick = step if step < n_occupied else int(np.argmax(weight))
        chosen.append(pick)
        direction = residual[:, pick] / np.sqrt(weight[pick])
        residual -= np.outer(direction, direction @ residual)
    return np.array(sorted(chosen))


def projected_hamiltonian(
    amplitudes: np.ndarray, energies: np.ndarray, n_occupied: int
) -> np.ndarray:
    """Symmetry-adapted projected Hamiltonian, theory eq 6: H = O diag(eps_sel) O^T.

    O is the orthogonal polar factor of the selected columns of T; occupied orbitals lie in the
    frame exactly, so their part is decoupled first and virtuals share what is left.

    Parameters
    ----------
    amplitudes : (n_min, n_mo) array
        T, occupied valence orbitals first.
    energies : (n_mo,) array
        Orbital energies, hartree.
    n_occupied : int

    Returns
    -------
    (n_min, n_min) symmetric array whose eigenvalues are exactly the selected energies.
    """
    selected = valence_selection(amplitudes, n_occupied)
    left, _, right = scipy.linalg.svd(amplitudes[:, selected])
    orthogonal = left @ right
    return (orthogonal * energies[selected]) @ orthogonal.T


def smooth_hamiltonian(
    amplitudes: np.ndarray, energies: np.ndarray, n_occupied: int, width: float = WIDTH
) -> np.ndarray:
    """Projected Hamiltonian without a choice of virtuals, theory eq 6a: H = O diag(eps) O^T.

    O is the orthogonal polar factor of the columns sqrt(g_a) t_a of all orbitals, g = exp(-eps / w)
    (occupied orbitals lie in the frame exactly and are decoupled first). So the virtual part holds
    the Ritz values of the space exp(-F / 2w) |frame>: what is lowest and has a part in the frame
    comes out exactly, up to exp(-gap / w), and the whole is as smooth as the Fock matrix and the
    frame are, whatever crosses. An energy added to all levels is added to H. Without weights
    (w -> infinity) it is the Fock matrix of the valence-virtual space.

    Parameters
    ----------
    amplitudes : (n_min, n_mo) array
        T, occupied valence orbitals first, and all virtuals up to some energy.
    energies : (n_mo,) array
        Orbital energies, hartree.
    n_occupied : int
    width : float
        w, hartree.

    Returns
    -------
    (n_min, n_min) symmetric array.

    Raises
    ------
    ParameterError
        If the virtuals are few: a record that keeps valence levels alone.
    """
    occupied, virtual = np.split(amplitudes, [n_occupied], axis=1)
    low, high = np.split(energies, [n_occupied])
    out = np.asarray((occupied * low) @ occupied.T)
    rest = scipy.linalg.qr(occupied)[0][:, n_occupied:]
    if not rest.shape[1]:
        return out
    if high.size < rest.shape[1] or np.sum(virtual**2) < COMPLETE * rest.shape[1]:
        raise ParameterError("a smooth projection needs all virtual levels, not the valence alone")
    weights = np.exp(-(high - high.min()) / (2.0 * width))
    left, _, right = scipy.linalg.svd(rest.T @ virtual * weights, full_matrices=False)
    orthogonal = rest @ (left @ right)
    return out + (orthogonal * high) @ orthogonal.T


def density_matrix(amplitudes: np.ndarray, n_occupied: int) -> np.ndarray:
    """(n_min, n_min) closed-shell density matrix P = 2 T_occ T_occ^T in the minimal frame."""
    occupied = amplitudes[:, :n_occupied]
    return 2.0 * occupied @ occupied.T


def atomic_dipoles(
    structure: Structure, density: np.ndarray, dipole_matrix: np.ndarray
) -> np.ndarray:
    """(n_atom, 3) dipoles about the atoms' own nuclei, e bohr.

    mu_i = - sum_(m in i, n) P_mn <m| r - R_i |n> over IAOs m: with the IAO charges at R_i they make
    the dipole of the molecule.

    Parameters
    ----------
    structure : Structure
    density : (n_min, n_min) array
        P, in the IAO frame.
    dipole_matrix : (3, n_min, n_min) array
    """
    sizes = [n_orbital_of(z) for z in structure.numbers.tolist()]
    atom = np.repeat(np.arange(len(sizes)), sizes)
    held = np.einsum("mn,xmn->mx", density, dipole_matrix)
    held -= np.diag(density)[:, None] * structure.positions[atom]
    out = np.zeros((len(sizes), 3))
    np.subtract.at(out, atom, held)
    return out
