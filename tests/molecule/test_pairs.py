import numpy as np
import pytest
from harness import assert_adjoint
from molecules import distorted, moved
from scipy.spatial.distance import cdist

from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure

ELEMENTS = (8, 1, 7, 6)
CUTOFF = 5.0


@pytest.fixture(scope="module")
def structures():
    return [distorted("CH3CONH2"), distorted("H2O", seed=2), distorted("HCOOH", seed=3)]


@pytest.fixture(scope="module")
def pairs(structures):
    return PairList.of(structures, ELEMENTS, CUTOFF)


def test_every_pair_of_every_structure(structures, pairs):
    assert pairs.n_atom == sum(s.n_atom for s in structures)
    for index, structure in enumerate(structures):
        rows = pairs.atoms_of(index)
        span = slice(pairs.pair_start[index], pairs.pair_start[index + 1])
        distance = cdist(structure.positions, structure.positions)
        expected = {(rows[i], rows[j]) for i, j in np.argwhere(distance < CUTOFF) if i != j}
        found = list(zip(pairs.first[span], pairs.second[span], strict=True))
        assert len(found) == len(set(found)) > 0
        assert set(found) == expected
    assert pairs.pair_start[-1] == pairs.first.size
    assert (cdist(structures[0].positions, structures[0].positions) > CUTOFF).any()


def test_atoms_are_sorted_by_species(structures, pairs):
    numbers = np.concatenate([s.numbers for s in structures])
    assert (np.diff(pairs.species) >= 0).all()
    np.testing.assert_array_equal(np.array(ELEMENTS)[pairs.species][pairs.atom], numbers)
    for species, rows in pairs.groups:
        assert (pairs.species[rows] == species).all()
    assert sum(rows.stop - rows.start for _, rows in pairs.groups) == pairs.n_atom
    np.testing.assert_array_equal(
        np.concatenate([pairs.atoms_of(index) for index in range(len(structures))]), pairs.atom
    )


def test_geometry_of_pairs(structures, pairs):
    positions = np.empty((pairs.n_atom, 3))
    positions[pairs.atom] = np.concatenate([s.positions for s in structures])
    d = positions[pairs.second] - positions[pairs.first]
    np.testing.assert_allclose(pairs.unit * pairs.distance[:, None], d, atol=1e-13)
    np.testing.assert_allclose(pairs.sphere[:, 0], 0.5 / np.sqrt(np.pi))
    label = pairs.species[pairs.first] * len(ELEMENTS) + pairs.species[pairs.second]
    np.testing.assert_array_equal(pairs.pair_species, label)


def test_orbitals_count_within_each_structure(structures, pairs):
    for index, structure in enumerate(structures):
        start = pairs.orbital[pairs.atoms_of(index)]
        sizes = np.where(structure.numbers == 1, 1, 4)
        np.testing.assert_array_equal(start, np.cumsum(sizes) - sizes)
        assert start[-1] + sizes[-1] == structure.n_orbital


def test_single_atom_and_far_atoms_have_no_pairs():
    for structure in (
        Structure([8], np.zeros((1, 3))),
        Structure([1, 1], np.array([[0.0, 0.0, 0.0], [0.0, 0.0, CUTOFF]])),
    ):
        pairs = PairList.of([structure], ELEMENTS, CUTOFF)
        assert pairs.first.size == pairs.distance.size == 0
        assert pairs.sphere.shape == (0, 9)
        np.testing.assert_array_equal(pairs.pair_start, [0, 0])
        assert not pairs.adjoint(np.zeros(0), np.zeros((0, 9))).any()


def test_adjoint(structures, pairs):
    split = np.cumsum([s.n_atom for s in structures])[:-1]

    def forward(x):
        parts = [moved(s, p) for s, p in zip(structures, np.split(x, split), strict=True)]
        fresh = PairList.of(parts, ELEMENTS, CUTOFF)
        assert fresh.first.size == pairs.first.size
        return fresh.distance, fresh.sphere

    positions = np.concatenate([s.positions for s in structures])
    assert_adjoint(forward, pairs.adjoint, [positions], step=5e-3)
