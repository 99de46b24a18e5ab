"""Meshes of k-points."""

import numpy as np
import pytest
from crystals import PERIODIC, VECTORS

from mlsemi.errors import InputError
from mlsemi.lattice.cell import Cell
from mlsemi.periodic.kpoints import LENGTH, counts_of, mesh


@pytest.mark.parametrize("counts", [(1, 1, 1), (2, 3, 4), (4, 4, 1), (5, 1, 2)])
@pytest.mark.parametrize("centred", [True, False])
def test_time_reversal_leaves_the_whole_mesh(counts, centred):
    found = mesh(counts, centred)
    whole = set()
    for point, weight in zip(found.points, found.weights, strict=True):
        mirrored = {tuple(np.round((sign * point) % 1.0, 9) % 1.0) for sign in (1, -1)}
        assert whole.isdisjoint(mirrored)
        assert weight == pytest.approx(len(mirrored) / np.prod(counts))
        whole |= mirrored
    assert found.weights.sum() == pytest.approx(1.0)
    axes = [
        np.arange(n) / n if centred else (2.0 * np.arange(n) - n + 1.0) / (2.0 * n) for n in counts
    ]
    expected = {
        tuple(np.round(np.array(point) % 1.0, 9) % 1.0)
        for point in np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3)
    }
    assert whole == expected


def test_the_default_is_as_good_as_a_long_supercell():
    cell = Cell(VECTORS, PERIODIC["layer"])
    counts = counts_of(cell, None)
    assert counts[2] == 1
    heights = 2.0 * np.pi / np.linalg.norm(cell.reciprocal[:2], axis=1)
    assert (np.array(counts[:2]) * heights >= LENGTH - 1e-4).all()
    assert ((np.array(counts[:2]) - 1) * heights < LENGTH).all()
    assert counts_of(cell, "4x3x1") == counts_of(cell, (4, 3, 1)) == (4, 3, 1)


@pytest.mark.parametrize("asked", ["4x4", "4x4x0", "axbxc", "4x4x2", (4, -4, 1), "99999x999x1"])
def test_meshes_that_make_no_sense(asked):
    with pytest.raises(InputError, match="k-points"):
        counts_of(Cell(VECTORS, PERIODIC["layer"]), asked)
