"""Graphs that repeat: pieces, the lattices of infinite ones, unfolding."""

import numpy as np
import pytest

from mlsemi.lattice.nets import Pieces, Unfolded, basis, places


def both_ways(bonds):
    bonds = np.array(bonds)
    back = np.column_stack([bonds[:, 1], bonds[:, 0], -bonds[:, 2:]])
    every = np.concatenate([bonds, back])
    every = every[np.lexsort(every.T[::-1])]
    return every[:, 0], every[:, 1], every[:, 2:]


MOLECULE = both_ways([(0, 1, 0, 0, 0), (1, 2, 1, 0, 0), (3, 4, 0, -1, 2)])
CHAIN = both_ways([(0, 1, 0, 0, 0), (1, 0, 1, 1, 0)])
STRANDS = both_ways([(0, 1, 0, 0, 1), (1, 0, 0, 0, 1)])
"""Two strands: the next atom of a strand is the image two cells away."""


def test_molecules_are_whole():
    pieces = Pieces.of(*MOLECULE, 6)
    assert pieces.number == 3
    np.testing.assert_array_equal(pieces.label, [0, 0, 0, 1, 1, 2])
    assert not pieces.around(*MOLECULE).any()
    np.testing.assert_array_equal(pieces.translation[2], [1, 0, 0])
    assert pieces.lattices(*MOLECULE) == {}


@pytest.mark.parametrize(
    ("bonds", "expected"), [(CHAIN, [[1, 1, 0]]), (STRANDS, [[0, 0, 2]])], ids=["chain", "strands"]
)
def test_a_polymer_has_a_lattice(bonds, expected):
    pieces = Pieces.of(*bonds, 2)
    assert pieces.number == 1
    np.testing.assert_array_equal(pieces.lattices(*bonds)[0], expected)


@pytest.mark.parametrize("seed", range(5))
def test_basis(seed):
    """Spans what it was made from, and each of its rows is a whole combination of them."""
    rng = np.random.default_rng(seed)
    dimension = 1 + seed % 3
    own = rng.integers(-3, 4, (dimension, 3))
    vectors = rng.integers(-4, 5, (7, dimension)) @ own
    found = basis(vectors)
    assert len(found) == np.linalg.matrix_rank(vectors)
    whole = np.linalg.lstsq(found.T.astype(float), vectors.T.astype(float), rcond=None)[0]
    np.testing.assert_allclose(whole, np.round(whole), atol=1e-9)
    np.testing.assert_array_equal(np.round(whole).astype(int).T @ found, vectors)
    # as dense as the lattice of the vectors: greatest common divisor of all minors
    sizes = [minor_divisor(rows, len(found)) for rows in (found, vectors[np.any(vectors, axis=1)])]
    assert sizes[0] == sizes[1]


def minor_divisor(rows, k):
    from itertools import combinations

    out = 0
    for picked in combinations(range(len(rows)), k):
        for columns in combinations(range(3), k):
            minor = round(np.linalg.det(rows[np.ix_(picked, columns)].astype(float)))
            out = np.gcd(out, minor)
    return out


def test_unfolded_molecules_are_themselves():
    net = Unfolded.of(*MOLECULE, 6, 4)
    assert len(net.nodes) == 6
    first, second = np.array([0, 0, 0, 3, 0]), np.array([2, 2, 1, 4, 5])
    shift = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, -1, 2], [0, 0, 0]])
    np.testing.assert_array_equal(net.rows(first, second, shift), [2, -1, 1, 4, -1])


@pytest.mark.parametrize("longest", [1, 3, 6])
def test_an_unfolded_chain(longest):
    """As many nodes as bonds lead to from both atoms, each bonded to its neighbours."""
    net = Unfolded.of(*CHAIN, 2, longest)
    assert len(net.nodes) == 2 * longest + 2
    degree = np.bincount(net.first)
    assert np.count_nonzero(degree == 1) == 2
    assert degree.max() == 2
    first, second = np.array([0, 0, 1]), np.array([0, 0, 1])
    shift = np.array([[1, 1, 0], [1, 0, 0], [-1, -1, 0]])
    rows = net.rows(first, second, shift)
    assert rows[1] == -1
    assert ((rows[[0, 2]] >= 0) == (longest > 1)).all()


def test_places():
    table = np.array([[0, 0, 0, 0], [1, 2, -3, 0], [1, -1, 0, 5]])
    asked = np.array([[1, -1, 0, 5], [1, 2, -3, 1], [0, 0, 0, 0], [9, 9, 9, 9]])
    np.testing.assert_array_equal(places(table, asked), [2, -1, 0, -1])
