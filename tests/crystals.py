"""Cells without symmetry, cells with it, supercells."""

import numpy as np
from ase import Atoms
from ase.build import graphene, molecule

from mlsemi.molecule.structure import Structure

PERIODIC = {"chain": (False, True, False), "layer": (True, True, False), "crystal": (True,) * 3}
VECTORS = np.array([[4.6, 0.3, 0.2], [0.1, 4.9, 0.4], [0.3, 0.2, 5.2]])


def skew(kind="crystal"):
    """A molecule in a small skew cell, in contact with its images."""
    atoms = molecule("HCOOH")
    atoms.rattle(0.05, seed=1)
    atoms.rotate(37.0, (0.2, -0.5, 1.0))
    atoms.set_cell(VECTORS)
    atoms.pbc = PERIODIC[kind]
    return atoms


def sheet():
    """Graphene, periodic along two directions."""
    atoms = graphene()
    atoms.pbc = (True, True, False)
    return atoms


def polyethylene():
    """A zigzag chain along z."""
    places = [[0, 0.42, 0.6375], [0, -0.42, 1.9125]]
    places += [[x, 1.06, 0.6375] for x in (0.89, -0.89)]
    places += [[x, -1.06, 1.9125] for x in (0.89, -0.89)]
    return Atoms("C2H4", places, cell=[0, 0, 2.55], pbc=(False, False, True))


def structure(atoms):
    return Structure.from_ase(atoms)


def strained(given, strain=0.0, moves=0.0):
    """A structure whose atoms and cell are strained by r -> (1 + strain) r, after ``moves``."""
    F = np.eye(3) + strain
    atoms = given.to_ase()
    atoms.set_cell(np.asarray(atoms.cell) @ F.T)
    atoms.positions = given.to_ase().positions @ F.T
    out = Structure.from_ase(atoms)
    return Structure(out.numbers, (given.positions + moves) @ F.T, cell=out.cell)
