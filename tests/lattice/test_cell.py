"""Cells and neighbour images."""

import numpy as np
import pytest
from crystals import PERIODIC, VECTORS
from hypothesis import given, settings
from hypothesis import strategies as st

from mlsemi.errors import InputError
from mlsemi.lattice.cell import Cell
from mlsemi.lattice.images import neighbour_images


@pytest.mark.parametrize("kind", PERIODIC)
def test_completed_vectors_reciprocal_and_measure(kind):
    cell = Cell(VECTORS, PERIODIC[kind])
    d = cell.dimension
    gram = cell.vectors[cell.periodic] @ cell.vectors[cell.periodic].T
    assert cell.measure == pytest.approx(np.sqrt(np.linalg.det(gram)), rel=1e-13)
    product = cell.vectors @ cell.reciprocal.T
    np.testing.assert_allclose(product, 2.0 * np.pi * np.diag(cell.periodic), atol=1e-13)
    np.testing.assert_allclose(cell.completed[~cell.periodic] @ cell.vectors.T, 0.0, atol=1e-13)
    np.testing.assert_allclose(cell.span @ cell.span, cell.span, atol=1e-14)
    assert round(np.trace(cell.span)) == d


def test_wrapping_keeps_what_does_not_repeat():
    cell = Cell(VECTORS, PERIODIC["layer"])
    x = np.random.default_rng(0).normal(scale=20.0, size=(9, 3))
    inside = cell.wrapped(x)
    fractional = cell.fractional(inside)
    assert (fractional[:, :2] >= 0.0).all()
    assert (fractional[:, :2] < 1.0).all()
    np.testing.assert_allclose(fractional[:, 2], cell.fractional(x)[:, 2], atol=1e-12)
    moved = cell.fractional(x - inside)
    np.testing.assert_allclose(moved, np.round(moved), atol=1e-12)


@pytest.mark.parametrize(
    ("vectors", "periodic", "words"),
    [
        (np.eye(3), (False,) * 3, "along one of them at least"),
        (np.eye(2), (True,) * 3, "three vectors"),
        (np.diag([1.0, np.nan, 1.0]), (True,) * 3, "finite"),
        (np.diag([1.0, 0.0, 1.0]), (True,) * 3, "longer than zero"),
        ([[1, 0, 0], [1, 1e-9, 0], [0, 0, 1]], (True,) * 3, "linearly dependent"),
    ],
)
def test_cells_that_are_none(vectors, periodic, words):
    with pytest.raises(InputError, match=words):
        Cell(vectors, periodic)
    assert Cell.of(np.zeros((3, 3)), (True,) * 3) is None


@settings(max_examples=15, deadline=None)
@given(kind=st.sampled_from(sorted(PERIODIC)), seed=st.integers(0, 999), cutoff=st.floats(2, 9))
def test_images_are_all_there_wrapped_or_not(kind, seed, cutoff):
    rng = np.random.default_rng(seed)
    cell = Cell(VECTORS + rng.normal(scale=0.5, size=(3, 3)), PERIODIC[kind])
    x = rng.uniform(-9.0, 9.0, size=(3, 3))
    reach = 12
    steps = [np.arange(-reach, reach + 1) if p else np.zeros(1) for p in cell.periodic]
    shifts = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1).reshape(-1, 3)
    expected = set()
    for i in range(3):
        for j in range(3):
            r = np.linalg.norm(x[j] - x[i] + shifts @ cell.vectors, axis=1)
            near = (r < cutoff) & (r > 0.0)
            expected |= {(i, j, *s) for s in shifts[near].astype(int).tolist()}
    found = neighbour_images(x, cell, cutoff)
    rows = np.column_stack([found.first, found.second, found.shift])
    assert {tuple(row) for row in rows.tolist()} == expected
    assert rows.tolist() == sorted(rows.tolist())
    back = np.column_stack([found.second, found.first, -found.shift])
    forward = {tuple(row) for row in rows[found.forward].tolist()}
    assert len(forward) == len(rows) / 2
    assert forward.isdisjoint(tuple(row) for row in back[found.forward].tolist())
    inside = neighbour_images(cell.wrapped(x), cell, cutoff)
    np.testing.assert_allclose(inside.vector[:, 0].sum(), found.vector[:, 0].sum(), atol=1e-9)
    assert inside.first.size == found.first.size
