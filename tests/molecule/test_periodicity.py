"""Molecules in periodic cells: whole ones, and ones that the cell cuts."""

import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule

from mlsemi.errors import InputError
from mlsemi.molecule.formats import iter_frames
from mlsemi.molecule.periodicity import check_whole


def boxed(name, pbc=True, size=9.0):
    atoms = molecule(name)
    atoms.set_cell([size] * 3)
    atoms.center()
    atoms.pbc = pbc
    return atoms


@pytest.mark.parametrize("name", ["CH3CH2OH", "C6H6", "H2"])
def test_a_wrapped_molecule_is_refused(tmp_path, name):
    atoms = boxed(name)
    check_whole(atoms)
    atoms.positions += [4.5, 0.0, 4.5]
    check_whole(atoms)
    atoms.wrap()
    assert np.ptp(atoms.positions, axis=0).max() > 5.0
    for suffix in ("xyz", "cif", "vasp"):
        ase.io.write(tmp_path / f"cut.{suffix}", atoms)
    (tmp_path / "cut.vasp").rename(tmp_path / "POSCAR")
    for file in ("cut.xyz", "cut.cif", "POSCAR"):
        with pytest.raises(InputError, match=f"{file}, frame 0: atoms 0 .* bonded across"):
            list(iter_frames(tmp_path / file))


def test_only_periodic_directions_count():
    atoms = boxed("C6H6")
    atoms.positions[:, 0] += 4.5
    atoms.wrap()
    atoms.pbc = [False, True, True]
    check_whole(atoms)
    atoms.pbc = False
    check_whole(atoms)
    atoms.pbc = [True, False, False]
    with pytest.raises(InputError, match="bonded across"):
        check_whole(atoms)


def test_crystals_of_bonded_atoms_and_cells_that_are_none():
    with pytest.raises(InputError, match=r"atoms 0 \(C\) and [01] \(C\) are bonded across"):
        check_whole(bulk("C"))
    atoms = molecule("H2O")
    atoms.pbc = True
    check_whole(atoms)
