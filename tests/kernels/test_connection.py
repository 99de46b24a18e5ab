"""Best paths of bonds against all walks, one after another."""

import naive
import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mlsemi.kernels.connection import connected_parts, connection, connection_adjoint


def drawn(seed, n_atom=9):
    """Directed pairs grouped by the first atom, strengths the same both ways: whole, part, none."""
    rng = np.random.default_rng(seed)
    first, second = np.nonzero(~np.eye(n_atom, dtype=bool))
    table = rng.choice([0.0, 0.0, 0.0, 1.0, 0.5], (n_atom, n_atom))
    table = np.where(table == 0.5, rng.uniform(0.2, 0.9, table.shape), table)
    table = np.triu(table, 1) + np.triu(table, 1).T
    return first, second, table[first, second], n_atom


@pytest.mark.parametrize("longest", [1, 2, 4])
@pytest.mark.parametrize("seed", range(6))
def test_best_paths(seed, longest):
    first, second, strength, n_atom = drawn(seed)
    found = connection(first, second, strength, n_atom, longest)
    expected = naive.connection(first, second, strength, n_atom, longest)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    back = found.reshape(n_atom, n_atom - 1)
    full = np.zeros((n_atom, n_atom))
    full[first, second] = back.ravel()
    np.testing.assert_allclose(full, full.T, rtol=1e-14)
    bars = np.random.default_rng(seed).normal(size=first.size)
    twin = naive.adjoint(
        lambda b: naive.connection(first, second, b, n_atom, longest), [strength], 0, bars
    )
    part = (found > 0.0) & (found < 1.0)
    ours = connection_adjoint(first, second, strength, n_atom, longest, found, bars)
    np.testing.assert_allclose(ours[strength < 1.0], twin[strength < 1.0], rtol=1e-12, atol=1e-14)
    assert longest == 1 or (part.any() and (found == 1.0).any())


def test_a_longer_way_round_is_better_than_a_broken_bond():
    """A ring with one weak bond: its atoms are as connected as the ring is long."""
    ring = np.array([(i, (i + d) % 5) for i in range(5) for d in (1, 4)])
    order = np.lexsort((ring[:, 1], ring[:, 0]))
    first, second = ring[order].T
    strength = np.where(np.abs(first - second) == 4, 0.3, 1.0)
    weak = strength < 1.0
    assert connection(first, second, strength, 5, 3)[weak] == pytest.approx(0.3)
    assert connection(first, second, strength, 5, 4)[weak] == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n_atom", [1, 9, 25])
def test_parts(seed, n_atom):
    """Numbers and labels are those of SciPy."""
    first, second, strength, _ = drawn(seed, n_atom)
    bonded = (strength == 1.0) & (first % 3 != second % 3)
    n, label = connected_parts(first, second, bonded.astype(float), n_atom)
    edges = first[bonded], second[bonded]
    graph = coo_array((np.ones(edges[0].size), edges), shape=(n_atom, n_atom))
    expected, labels = connected_components(graph, directed=False)
    assert n == expected
    np.testing.assert_array_equal(label, labels)
