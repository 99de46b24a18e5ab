"""Hamiltonians as potentials of atoms: what the Fock matrix of a local functional is made of.

    F = T + sum_A V_A,   V_A = -Z_A / r + sum_klm c_A,klm v_klm(r - R_A)

v_klm is the Coulomb potential of a Gaussian of exponent a_k and degree l; its matrix in any basis
is three-center integrals (PySCF). With the same c for all atoms of an element, l = 0 alone, this is
a superposition of spherical atomic potentials. With c_A,kl that are linear in equivariant features
of the atom it is a model of the whole matrix, core, valence and diffuse, whose unknowns belong to
atoms and not to pairs, and are found from the elements of the matrices themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pyscf import df, gto

from mlsemi.molecule.structure import Structure
from mlsemi.representations.learning.cartesian import ORDER
from mlsemi.representations.learning.conventions import pyscf_layout, pyscf_order
from mlsemi.symmetry.tensors import SCALAR, Irrep, Tensors

EXPONENTS = {
    0: 0.12 * 2.4 ** np.arange(11),
    1: 0.15 * 2.4 ** np.arange(6),
    2: 0.20 * 2.5 ** np.arange(5),
}
"""Of each degree, bohr^-2."""

NEGLIGIBLE, TINY = 1e-9, 1e-300
"""Components below this fraction of the largest are noise."""

N_ATOM = sum(len(exponents) * (2 * l + 1) for l, exponents in EXPONENTS.items())
"""Functions on an atom."""


def integrals_of(
    structure: Structure, basis: str, rows: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Elements of T - sum Z / r, and of every potential (n, n_atom, N_ATOM).

    Parameters
    ----------
    structure : Structure
    basis : str
        PySCF's name.
    rows : (first, second)
        Which elements, orbitals counted in our order.
    """
    atoms = list(zip(structure.symbols, structure.positions.tolist(), strict=True))
    given = {"atom": atoms, "unit": "Bohr", "charge": structure.charge, "verbose": 0}
    functions = [[l, [a, 1.0]] for l, exponents in EXPONENTS.items() for a in exponents]
    molecule = gto.M(basis=basis, **given)
    auxiliary = gto.M(basis=dict.fromkeys(set(structure.symbols), functions), **given)
    order = pyscf_order(pyscf_layout([molecule]), structure.numbers)
    first, second = order[rows[0]], order[rows[1]]
    size = np.sqrt(np.diag(auxiliary.intor("int2c2e")))
    three = (df.incore.aux_e2(molecule, auxiliary, "int3c2e") / size)[first, second]
    bare = molecule.intor("int1e_kin") + molecule.intor("int1e_nuc")
    by_atom = three.reshape(len(first), structure.n_atom, N_ATOM)
    return bare[first, second], by_atom[:, :, _own_order()]


def _own_order() -> np.ndarray:
    """(N_ATOM,) place of our functions of an atom among PySCF's, which differ in p."""
    rows: list[int] = []
    for l, exponents in EXPONENTS.items():
        for _ in exponents:
            rows += (len(rows) + (ORDER if l == 1 else np.arange(2 * l + 1))).tolist()
    return np.array(rows)


@dataclass(frozen=True, eq=False)
class Components:
    """Leading components of the features of each element, of unit mean square, a constant first.

    Attributes
    ----------
    maps : mapping of (element, degree) to (mean, matrix)
    """

    maps: Mapping[tuple[int, int], tuple[np.ndarray, np.ndarray]]

    @classmethod
    def fit(cls, numbers: np.ndarray, features: Tensors, n_keep: int) -> Components:
        """Principal components of the atoms of a dataset."""
        maps = {}
        for l in EXPONENTS:
            for z in sorted(set(numbers.tolist())):
                x = features[Irrep(l, 1)][numbers == z]
                mean = x.mean(axis=(0, 1)) if l == 0 else np.zeros(x.shape[2])
                flat = (x - mean).reshape(-1, x.shape[2])
                values, vectors = np.linalg.eigh(flat.T @ flat / len(x))
                values, vectors = values[::-1][:n_keep], vectors[:, ::-1][:, :n_keep]
                there = values > NEGLIGIBLE * values[0]
                # what never varies stays zero, so that every element has as many
                maps[z, l] = mean, vectors * np.where(there, np.maximum(values, TINY) ** -0.5, 0.0)
        return cls(maps)

    def columns(
        self, numbers: np.ndarray, features: Tensors, potentials: np.ndarray
    ) -> dict[tuple[int, int], np.ndarray]:
        """Elements of the matrix of sum_A v_kl(A) . y_ql(A), (n, n_exponent, n_component).

        Parameters
        ----------
        numbers : (n_atom,) int array
        features : mapping of Irrep to (n_atom, 2l+1, n_feature) array
        potentials : (n, n_atom, N_ATOM) array
        """
        out, start = {}, 0
        for l, exponents in EXPONENTS.items():
            m = 2 * l + 1
            block = potentials[:, :, start : start + m * len(exponents)]
            block = block.reshape(*block.shape[:2], len(exponents), m)
            start += m * len(exponents)
            for z in sorted(set(numbers.tolist())):
                mean, matrix = self.maps[z, l]
                y = (features[Irrep(l, 1)][numbers == z] - mean) @ matrix
                if Irrep(l, 1) == SCALAR:
                    y = np.concatenate([np.ones((*y.shape[:2], 1)), y], axis=2)
                out[z, l] = np.einsum("napm,amq->npq", block[:, numbers == z], y, optimize=True)
        return out
