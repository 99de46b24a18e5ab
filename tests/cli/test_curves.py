"""Curves of a command: one for each molecule, under names of their own."""

import numpy as np
import pytest
from ase.build import molecule

from mlsemi.cli.work.curves import Curves, same_molecule
from mlsemi.draw.spectrum import Lines
from mlsemi.molecule.structure import Structure
from mlsemi.units import HARTREE_EV


def of(atoms):
    return Structure.from_ase(atoms)


def lines(energy_ev):
    return Lines(np.array([energy_ev / HARTREE_EV]), np.ones(1), np.zeros(1))


@pytest.fixture
def curves():
    return Curves(0.4, "gaussian", None, None, None)


def test_names_do_not_collide(curves):
    for k, name in enumerate(["x", "x", "x (2)", "x", "x (3)"]):
        curves.add("a.sdf", name, of(molecule("H2O")), lines(5.0 + k))
    names = list(curves.spectra())
    assert names == ["x", "x (2)", "x (2) (2)", "x (3)", "x (3) (2)"]
    assert [s.stick_energies_ev[0] for s in curves.spectra().values()] == pytest.approx(
        [5.0, 6.0, 7.0, 8.0, 9.0]
    )


def test_frames_are_averaged_and_isomers_are_not(curves):
    acid = molecule("CH3COOH")
    shaken = acid.copy()
    shaken.rattle(0.08, seed=1)
    ester = molecule("HCOOCH3")
    by_number = [atoms[np.argsort(atoms.numbers, kind="stable")] for atoms in (acid, shaken, ester)]
    for energy, atoms in zip((5.0, 5.2, 7.0), by_number, strict=True):
        curves.add("mixed.xyz", "", of(atoms), lines(energy))
    found = curves.spectra()
    assert list(found) == ["mixed", "mixed (2)"]
    assert found["mixed"].stick_energies_ev == pytest.approx([5.0, 5.2])
    assert found["mixed (2)"].stick_energies_ev == pytest.approx([7.0])


def test_a_bond_made_or_broken_is_another_molecule():
    ethane = molecule("C2H6")
    stretched = ethane.copy()
    stretched.positions[[1, 5, 6, 7], 2] -= 0.3
    assert same_molecule(of(ethane), of(stretched))
    stretched.positions[[1, 5, 6, 7], 2] -= 0.7
    assert not same_molecule(of(ethane), of(stretched))
    turned = ethane.copy()
    turned.rotate(50, "xyz")
    assert same_molecule(of(ethane), of(turned))
    assert not same_molecule(of(ethane), Structure.from_ase(ethane, charge=2))
