"""Molecules that collide: where they are put, how warm they are, whose hydrogen leaves."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from mlsemi.errors import InputError
from mlsemi.model.terms.intermolecular.contacts import closest_distances
from mlsemi.units import BOHR_ANGSTROM

for program in ("rdkit", "tblite"):
    pytest.importorskip(program)

# ruff: noqa: E402
from mlsemi.training.data.collisions import collision_frames
from mlsemi.training.data.contacts import Molecules
from mlsemi.training.data.geometries import embed


def frames_of(smiles, number, seed=0):
    atoms, _ = embed(smiles, 1)
    return collision_frames(atoms, smiles, number, np.random.default_rng(seed))


def test_the_distance_is_what_the_origin_says():
    """In units of the wall, within the step of the search; every second one has a long O-H."""
    of_atom = Molecules.of_smiles("O.O").of_atom
    longest = []
    for atoms, origin in frames_of("O.O", 6):
        first, second = (atoms[of_atom == k] for k in range(2))
        walls = BOHR_ANGSTROM * closest_distances(first.numbers, second.numbers)
        found = (cdist(first.positions, second.positions) / walls).min()
        assert found == pytest.approx(float(origin.split(", ")[-1].split()[0]), abs=0.02)
        longest.append(max(m.get_all_distances()[m.numbers == 8].max() for m in (first, second)))
    assert min(longest[1::2]) > 1.0
    assert max(longest[1::2]) > max(longest[::2])


def test_the_same_seed_gives_the_same_geometries():
    one, two = (frames_of("N.C=O", 2) for _ in range(2))
    for (a, origin), (b, other) in zip(one, two, strict=True):
        assert origin == other
        np.testing.assert_array_equal(a.positions, b.positions)


def test_one_molecule_has_none_and_three_are_refused():
    assert frames_of("CO", 3) == []
    with pytest.raises(InputError, match="of two molecules"):
        frames_of("O.O.O", 1)
