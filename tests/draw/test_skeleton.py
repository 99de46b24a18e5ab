"""The flat drawing of a molecule, and the card it stands in."""

import re

import numpy as np
import pytest
from ase.build import molecule
from tiny import write_tiny_parameters

import mlsemi
from mlsemi.draw.skeleton import LARGEST, MOST, _projected, skeleton
from mlsemi.molecule.structure import Structure


def test_every_bond_is_a_line_and_every_atom_a_disc():
    structure = Structure.from_ase(molecule("H2CO"))
    orders = np.zeros((4, 4))
    orders[0, 1] = orders[0, 2] = orders[0, 3] = 1.0  # ASE's order: O C H H
    orders[2, 3] = 0.1
    text = skeleton(structure, orders + orders.T)
    assert (text.count("<line"), text.count("<circle")) == (3, 4)
    width, height = (float(x) for x in re.findall(r'svg width="(\d+)" height="(\d+)"', text)[0])
    assert width <= LARGEST[0]
    assert height <= LARGEST[1]
    for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', text):
        assert 0.0 < float(x) < width
        assert 0.0 < float(y) < height


@pytest.mark.parametrize("seed", range(4))
def test_a_chiral_molecule_is_not_its_mirror_image(seed):
    positions = np.random.default_rng(seed).normal(size=(6, 3))
    screen = _projected(positions) * [1.0, -1.0, 1.0]  # to the right, up, to the reader

    def handed(x):
        return np.linalg.det(x[1:4] - x[0])

    assert handed(screen) == pytest.approx(handed(positions))
    spread = screen.std(axis=0)
    assert spread[0] > spread[1] > spread[2] > 0.1


def test_one_atom_and_too_many():
    assert skeleton(Structure([8], [[0.0, 0.0, 0.0]]), np.zeros((1, 1))).count("<circle") == 1
    positions = 3.0 * np.indices((8, 8, 8)).reshape(3, -1)[:, : MOST + 2].T
    large = Structure(np.ones(len(positions)), positions)
    assert not skeleton(large, np.zeros((len(positions), len(positions))))


def test_a_result_shows_its_molecule(tmp_path):
    folder = write_tiny_parameters(tmp_path / "tiny")
    card = mlsemi.singlepoint(molecule("C2H6"), parameters=folder)._repr_html_()
    assert card.count("<circle") == 8
    assert "<table>" in card
    assert "C2H6" in card
