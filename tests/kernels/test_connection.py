"""Paths of bonds that are there with a probability, against all combinations of them."""

import naive
import numpy as np
import pytest
from harness import assert_adjoint
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mlsemi.kernels.connection import connected_parts, connection, connection_adjoint


def drawn(seed, n_atom=8, n_half=6):
    """Directed bonds grouped by the first atom, strengths the same both ways: whole or part."""
    rng = np.random.default_rng(seed)
    upper = np.argwhere(np.triu(np.ones((n_atom, n_atom)), 1))
    table = np.zeros((n_atom, n_atom))
    chosen = upper[rng.permutation(len(upper))]
    table[tuple(chosen[:4].T)] = 1.0
    table[tuple(chosen[4 : 4 + n_half].T)] = rng.uniform(0.1, 0.9, n_half)
    table += table.T
    first, second = np.nonzero(table)
    one, two = np.nonzero(~np.eye(n_atom, dtype=bool))
    return first, second, table[first, second], np.arange(n_atom), one, two


@pytest.mark.parametrize("longest", [1, 2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_all_combinations(seed, longest):
    arguments = drawn(seed)
    first, second, strength, atom, one, two = arguments
    n_atom, found = atom.size, connection(*arguments, longest)
    expected = naive.connection(first, second, strength, n_atom, one, two, longest)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    full = np.zeros((n_atom, n_atom))
    full[one, two] = found
    np.testing.assert_allclose(full, full.T, rtol=1e-13)
    bars = np.random.default_rng(seed).normal(size=one.size)
    twin = naive.adjoint(
        lambda b: naive.connection(first, second, b, n_atom, one, two, longest), [strength], 0, bars
    )
    ours = connection_adjoint(*arguments, longest, found, bars)
    table = np.zeros((2, n_atom, n_atom))
    table[:, first, second] = ours, twin
    both = table + table.swapaxes(1, 2)
    half = np.zeros((n_atom, n_atom), dtype=bool)
    half[first, second] = strength < 1.0
    np.testing.assert_allclose(both[0][half], both[1][half], rtol=1e-11, atol=1e-13)
    assert ((found > 0.0) & (found < 1.0)).any()


def test_a_longer_way_round_is_better_than_a_broken_bond():
    """A ring with one weak bond: its atoms are as connected as the ring is long."""
    ring = np.array([(i, (i + d) % 5) for i in range(5) for d in (1, 4)])
    order = np.lexsort((ring[:, 1], ring[:, 0]))
    first, second = ring[order].T
    strength = np.where(np.abs(first - second) == 4, 0.3, 1.0)
    weak = strength < 1.0
    assert connection(first, second, strength, np.arange(5), first, second, 3)[
        weak
    ] == pytest.approx(0.3)
    assert (connection(first, second, strength, np.arange(5), first, second, 4)[weak] == 1.0).all()


def test_more_half_broken_bonds_than_are_tried():
    """Ten ways of two bonds from one atom to another: the best ones, and a slope that is theirs."""
    n_way = 10
    ends = np.array([(i, k) for k in range(2, 2 + n_way) for i in (0, 1)])
    both = np.concatenate([ends, ends[:, ::-1]])
    order = np.lexsort(both.T[::-1])
    first, second = both[order].T
    asked, atom = (np.array([0]), np.array([1])), np.arange(n_way + 2)
    bonds = np.random.default_rng(0).uniform(0.3, 0.7, 2 * n_way)

    def forward(b):
        return connection(first, second, np.tile(b, 2)[order], atom, *asked, 6)

    def adjoint(bar):
        strength = np.tile(bonds, 2)[order]
        found = connection_adjoint(first, second, strength, atom, *asked, 6, forward(bonds), bar)
        back = np.empty_like(found)
        back[order] = found
        return (back[: 2 * n_way] + back[2 * n_way :],)

    ways = bonds.reshape(n_way, 2).prod(axis=1)
    found = forward(bonds)[0]
    assert ways.max() < found < 1.0 - np.prod(1.0 - ways)
    assert_adjoint(forward, adjoint, [bonds], step=1e-3, rtol=1e-8)


def test_matter_of_half_broken_bonds_has_best_paths():
    """A lattice of 125 atoms with all bonds half broken: soon done, and never above one."""
    places = np.argwhere(np.ones((5, 5, 5)))
    apart = np.abs(places[:, None] - places).sum(axis=2)
    first, second = np.nonzero(apart == 1)
    one, two = np.nonzero((apart > 0) & (apart <= 3))
    found = connection(first, second, np.full(first.size, 0.5), np.arange(125), one, two, 6)
    np.testing.assert_allclose(found, 0.5 ** apart[one, two], rtol=1e-12)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n_atom", [1, 9, 25])
def test_parts(seed, n_atom):
    """Numbers and labels are those of SciPy."""
    rng = np.random.default_rng(seed)
    bonded = np.triu(rng.uniform(size=(n_atom, n_atom)) < 1.2 / n_atom, 1)
    first, second = np.nonzero(bonded | bonded.T)
    n, label, moved = connected_parts(first, second, np.zeros((first.size, 3), int), n_atom)
    graph = coo_array((np.ones(first.size), (first, second)), shape=(n_atom, n_atom))
    expected, labels = connected_components(graph, directed=False)
    assert n == expected
    np.testing.assert_array_equal(label, labels)
    assert not moved.any()
