"""What a calculator may be told, and what surrounds the molecule."""

import warnings

import numpy as np
import pytest
from ase.build import molecule

import mlsemi
from mlsemi.errors import DomainWarning, InputError, InputWarning


@pytest.fixture
def atoms():
    out = molecule("H2CO")
    out.rattle(0.05, seed=1)
    return out


@pytest.mark.filterwarnings("ignore::mlsemi.errors.DomainWarning")
@pytest.mark.parametrize(
    "around",
    [
        {"solvent": "water"},
        {"solvent": 4.0, "charge": 1},
        {"field": (0.0, 0.1, -0.2)},
        {"point_charges": ([0.5, -0.5], [[4.0, 0.0, 0.0], [0.0, -5.0, 1.0]])},
    ],
)
def test_surroundings_reach_energy_and_forces(tiny, atoms, around):
    """A field once ended in an error of numpy."""
    atoms.calc = mlsemi.MLSemi(tiny)
    alone = atoms.get_potential_energy()
    atoms.calc = mlsemi.MLSemi(tiny, **around)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        assert abs(energy - alone) > 1e-4
        found = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.calc = atoms.calc
            moved.positions[0, 1] += sign * 1e-4
            found.append(moved.get_potential_energy())
    assert (found[1] - found[0]) / 2e-4 == pytest.approx(forces[0, 1], abs=1e-4)
    again = atoms.calc.parameters["point_charges"]
    assert atoms.calc.set(point_charges=again) == {}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"solvent": "vodka"}, "no solvent 'vodka'"),
        ({"field": "up"}, "field: need numbers"),
        ({"field": (1.0,)}, "field: need finite numbers of shape"),
        ({"point_charges": ([1.0],)}, "give their charges and their positions"),
        ({"point_charges": 3}, "give their charges and their positions"),
        ({"point_charges": ([1.0], [["a", 0, 0]])}, "point charges: need numbers"),
    ],
)
def test_surroundings_that_make_no_sense(tiny, given, reason):
    with pytest.raises(InputError, match=reason):
        mlsemi.MLSemi(tiny, **given)


@pytest.mark.filterwarnings("ignore::mlsemi.errors.DomainWarning")
def test_forces_on_point_charges_and_a_restart(folder, atoms, tmp_path):
    charges, places = [0.5, -0.5], [[4.0, 0.0, 0.0], [0.0, -5.0, 1.0]]
    atoms.calc = mlsemi.MLSemi(folder, point_charges=(charges, places))
    with pytest.raises(InputError, match="compute an energy first"):
        atoms.calc.point_charge_forces()
    atoms.get_forces()
    found, energies = atoms.calc.point_charge_forces(), []
    for sign in (1, -1):
        moved = [[4.0 + sign * 1e-3, 0.0, 0.0], places[1]]
        atoms.calc.set(point_charges=(charges, moved))
        energies.append(atoms.get_potential_energy())
    assert (energies[1] - energies[0]) / 2e-3 == pytest.approx(found[0, 0], abs=1e-6)
    atoms.calc.write(tmp_path / "saved")
    again = mlsemi.MLSemi(restart=tmp_path / "saved")
    assert not again.calculation_required(atoms, ["energy"])
    assert again.get_potential_energy(atoms) == energies[1]


def test_a_strong_field_and_a_state_that_is_no_int():
    """What a single point warns about, the calculator says too; 1.0 is state 1."""
    atoms = molecule("H2CO")
    atoms.calc = mlsemi.MLSemi(field=(0.0, 0.0, 25.0))
    with pytest.warns(DomainWarning, match="a field of 25 V/angstrom"):
        atoms.get_potential_energy()
    atoms.calc = mlsemi.MLSemi(state=1.0)
    assert np.isfinite(atoms.get_potential_energy())
