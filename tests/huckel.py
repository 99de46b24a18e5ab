"""Molecules with a wave function that needs no trained model: extended Hueckel theory.

H_mn = 0.875 S_mn (h_m + h_n) (Wolfsberg-Helmholz, K = 1.75), brought to the Loewdin frame.
"""

from dataclasses import dataclass

import numpy as np
from ase.build import molecule

from mlsemi.excited.constants import ExcitationParameters
from mlsemi.excited.excitations import build_interaction
from mlsemi.molecule.basis import Basis
from mlsemi.molecule.integrals import (
    angular_integrals,
    dipole_integrals,
    overlap,
    velocity_integrals,
)
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.eigen import ElectronicState, inverse_root, solve

LEVELS = {1: (-0.50,), 6: (-0.786, -0.419), 7: (-0.955, -0.493), 8: (-1.187, -0.544)}
LEVELS |= {16: (-0.735, -0.430), 17: (-0.967, -0.522)}


@dataclass(frozen=True)
class Huckel:
    structure: Structure
    basis: Basis
    hamiltonian: np.ndarray
    state: ElectronicState
    root: np.ndarray

    def interaction(self, parameters=None):
        return build_interaction(
            self.structure.numbers,
            self.structure.positions,
            self.basis.orbital_atom,
            self.basis.orbital_l,
            parameters or ExcitationParameters(),
        )

    def operators(self, origin=(0.0, 0.0, 0.0)):
        """<r>, <d/dr>, <(r - origin) x d/dr> in the Loewdin frame, and the center of the cores."""
        at = (self.basis, self.structure.positions)
        integrals = (
            dipole_integrals(*at),
            velocity_integrals(*at),
            angular_integrals(*at, np.array(origin)),
        )
        operators = (self.root @ operator @ self.root for operator in integrals)
        return (*operators, self.structure.center)


def huckel(structure):
    basis = Basis.of(structure)
    S = overlap(basis, structure.positions)
    levels = [
        LEVELS[int(structure.numbers[atom])][l]
        for atom, l in zip(basis.orbital_atom, basis.orbital_l, strict=True)
    ]
    h = np.array(levels)
    H = 0.875 * S * (h[:, None] + h[None, :])
    H[np.diag_indices_from(H)] = h
    root = inverse_root(S)
    hamiltonian = root @ H @ root
    return Huckel(structure, basis, hamiltonian, solve(hamiltonian, structure.n_electron), root)


def named(name):
    return huckel(Structure.from_ase(molecule(name)))


def distorted(name, seed=5, amplitude=0.08):
    """The molecule without any symmetry."""
    atoms = molecule(name)
    atoms.rattle(amplitude, seed=seed)
    atoms.rotate(37.0, (0.2, -0.5, 1.0))
    return huckel(Structure.from_ase(atoms))
