"""``mlsemi surfaces``: which molecules, which geometries, and that forces belong to energies."""

import numpy as np
import pytest
from ase import Atoms
from computed import surfaces

from mlsemi.errors import InputError
from mlsemi.training.data.dataset import split_of
from mlsemi.training.data.geometries import gfn2_calculator, inchikey
from mlsemi.training.data.surfaces import load_surfaces
from mlsemi.training.generators.relaxations import relaxation_surfaces
from mlsemi.training.generators.surface_lists import molecules_of
from mlsemi.units import BOHR_ANGSTROM, HARTREE_EV

SMILES = ("O", "C", "N", "CO", "C=O", "C#N", "CC", "C=C", "CF", "CS")
TRAINING = [text for text in SMILES if split_of(inchikey(text)) == "train"]


def test_geometries_of_one_molecule():
    found = relaxation_surfaces((TRAINING[0], inchikey(TRAINING[0])), 1)
    assert 5 <= len(found) <= 9
    assert len({surface.energy for surface in found}) == len(found)
    atoms = Atoms(found[-2].structure.numbers, found[-2].structure.positions * BOHR_ANGSTROM)
    atoms.calc = gfn2_calculator(0)
    assert atoms.get_potential_energy() / HARTREE_EV == pytest.approx(found[-2].energy, abs=1e-7)
    np.testing.assert_allclose(atoms.get_charges(), found[-2].charges, atol=1e-4)
    dipole = atoms.get_dipole_moment() / BOHR_ANGSTROM
    np.testing.assert_allclose(dipole, found[-2].dipole, atol=1e-3)
    # the energy falls along a relaxation by about what the forces say
    step = found[1].structure.positions - found[0].structure.positions
    work = 0.5 * np.sum(step * (found[0].forces + found[1].forces))
    assert found[1].energy - found[0].energy == pytest.approx(-work, abs=1e-4)


@pytest.mark.parametrize("smiles", ["[NH4+]", "[AsH3]"])
def test_charged_molecules_and_unknown_elements_have_none(smiles):
    assert relaxation_surfaces((smiles, inchikey(smiles)), 1) == []


def test_only_training_molecules_each_once(tmp_path):
    path = tmp_path / "list.smi"
    path.write_text("# a comment\n" + "\n".join([*SMILES, "OC", SMILES[0]]) + "\n")
    chosen = molecules_of([path], frozenset())
    assert {molecule for _, molecule in chosen} == {inchikey(text) for text in TRAINING}
    assert len(chosen) == len(TRAINING)


def test_file_does_not_depend_on_processes(tmp_path):
    path = tmp_path / "list.smi"
    path.write_text("\n".join(TRAINING[:3]) + "\n")
    files = [tmp_path / f"{n}.h5" for n in (1, 2)]
    for processes, file in enumerate(files, start=1):
        surfaces("relaxations", [path], file, processes=processes)
    one, two = (load_surfaces(file) for file in files)
    assert len(one) == len(two) > 10
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.structure.positions, b.structure.positions)
        assert a.energy == b.energy


def test_nothing_to_compute(tmp_path):
    path = tmp_path / "list.smi"
    path.write_text("[NH4+]\n")
    with pytest.raises(InputError, match="no training molecule"):
        surfaces("relaxations", [path], tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()
