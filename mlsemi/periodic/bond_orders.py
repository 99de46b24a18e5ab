"""Mayer's bond orders between atoms and images of atoms."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg

from mlsemi.kernels import integrals
from mlsemi.lattice.images import neighbour_images
from mlsemi.molecule.basis import Basis
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.observables import orbital_atom
from mlsemi.periodic.bloch import BlochOperator, Translations, real_space
from mlsemi.periodic.state import CellState

SMALLEST = 28.0
"""exp(-28) = 7e-13: images are left out where the most diffuse Gaussians overlap less."""

LONGEST = 8.0
"""Bohr between the atoms of a bond."""


class BondOrders(NamedTuple):
    """Bonds of the atoms of a cell, each once.

    Attributes
    ----------
    first, second : (n_bond,) int arrays
    shift : (n_bond, 3) int array
        Translation of the second atom, in cell vectors.
    order : (n_bond,) array
    """

    first: np.ndarray
    second: np.ndarray
    shift: np.ndarray
    order: np.ndarray


def overlap(structure: Structure) -> BlochOperator:
    """Overlap of the atomic orbitals between cells; S(k) is its Bloch sum."""
    assert structure.cell is not None
    basis = Basis.of(structure)
    softest = float(basis.species_exponents.min())
    found = neighbour_images(
        structure.positions, structure.cell, float(np.sqrt(2.0 * SMALLEST / softest))
    )
    own = np.arange(structure.n_atom)
    first, second = np.concatenate([found.first, own]), np.concatenate([found.second, own])
    vectors = np.concatenate([found.vector, np.zeros((own.size, 3))])
    each = Translations.of(found.shift)
    image = np.concatenate([each.image, np.zeros_like(own)])
    species, offset = basis.atom_species, basis.atom_offset
    orbitals = np.diff(offset)
    sizes = np.empty(len(basis.species_exponents), dtype=np.int64)
    sizes[species] = orbitals
    tables = integrals.radial_table(basis.species_exponents, basis.species_coefficients)
    found_blocks = integrals.overlap_blocks(
        species[first], species[second], vectors, sizes, *tables
    )
    blocks = np.zeros((len(each.shifts), basis.n_orbital, basis.n_orbital))
    for m in range(4):
        for n in range(4):
            some = (m < orbitals[first]) & (n < orbitals[second])
            at = image[some], offset[first[some]] + m, offset[second[some]] + n
            blocks[at] = found_blocks[some, m, n]
    return BlochOperator(structure.cell, each.shifts, blocks)


def bond_orders(state: CellState) -> BondOrders:
    """Mayer bond orders (Chem. Phys. Lett. 97, 270 (1983)) of a cell.

    B_AB(R) = sum_{mu in A, nu in B} (PS)_mu nu(R) (PS)_nu mu(-R), with
    (PS)(k) = S(k)^-1/2 P_o(k) S(k)^1/2. A mesh of N points is a supercell: of the images that it
    does not tell apart the nearest has the bond.
    """
    structure, kpoints = state.structure, state.kpoints
    assert structure.cell is not None
    near = neighbour_images(structure.positions, structure.cell, LONGEST)
    chosen = _nearest(near.first, near.second, near.shift, near.vector, kpoints.counts)
    first, second, shift = near.first[chosen], near.second[chosen], near.shift[chosen]
    each = Translations.of(shift)
    S = overlap(structure)
    products = []
    for point, weight, occupation, C in zip(
        kpoints.points, kpoints.weights, state.filling.occupations, state.orbitals, strict=True
    ):
        values, vectors = scipy.linalg.eigh(S.at(point), check_finite=False, driver="evd")
        root = np.sqrt(values)
        density = (weight * occupation * C) @ C.conj().T
        left, right = (vectors / root) @ vectors.conj().T, (vectors * root) @ vectors.conj().T
        products.append(left @ density @ right)
    blocks = real_space(kpoints.points, each.shifts, products)
    squares = blocks * blocks[each.opposite].transpose(0, 2, 1)
    start = np.flatnonzero(np.diff(orbital_atom(structure), prepend=-1))
    orders = np.add.reduceat(np.add.reduceat(squares, start, axis=1), start, axis=2)
    return BondOrders(first, second, shift, orders[each.image, first, second])


def _nearest(
    first: np.ndarray,
    second: np.ndarray,
    shift: np.ndarray,
    vector: np.ndarray,
    counts: tuple[int, int, int] | None,
) -> np.ndarray:
    """Pairs in one direction that are the nearest of all that a mesh does not tell apart."""
    size = np.asarray(counts if counts is not None else (1, 1, 1))
    distance = np.linalg.norm(vector, axis=1)
    order = np.argsort(np.round(distance, 8), kind="stable")
    seen: set[tuple[int, ...]] = set()
    chosen = []
    for p in order.tolist():
        i, j = int(first[p]), int(second[p])
        forth = (i, j, *(shift[p] % size).tolist())
        back = (j, i, *(-shift[p] % size).tolist())
        if forth in seen or back in seen or (i == j and not any(forth[2:])):
            continue
        seen.add(forth)
        chosen.append(p)
    return np.array(sorted(chosen), dtype=np.int64)
