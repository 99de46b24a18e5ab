"""The softened Coulomb law summed over images."""

import numpy as np
import pytest
from crystals import PERIODIC, VECTORS
from harness import assert_adjoint

from mlsemi.lattice import ewald
from mlsemi.lattice.cell import Cell
from mlsemi.lattice.ewald import softened_sum, softened_sum_adjoint

WIDTH = 2.0


@pytest.fixture
def charges():
    q = np.random.default_rng(0).normal(size=5)
    return q - q.mean()


@pytest.fixture
def positions():
    return np.random.default_rng(1).normal(scale=3.0, size=(5, 3))


def potential(x, cell, q, width=WIDTH):
    return softened_sum(x, cell, width) @ q


@pytest.mark.parametrize(
    ("kind", "madelung"),
    [
        ("chain", 2.0 * np.log(2.0)),
        ("layer", 1.6155426267128),  # square lattice
        ("crystal", 1.7475645946331822),  # rock salt
    ],
)
def test_madelung_constants(kind, madelung):
    """Nijboer and de Wette, Physica 23, 309 (1957); a nearly hard law."""
    periodic = np.array(PERIODIC[kind])
    x = np.array([[i, j, k] for i in range(2) for j in range(2) for k in range(2)], dtype=float)
    x = x[(x[:, ~periodic] == 0.0).all(axis=1)]
    q = (-1.0) ** x.sum(axis=1)
    found = potential(x, Cell(2.0 * np.eye(3), periodic), q, width=1e-6)
    np.testing.assert_allclose(found, -q * madelung, rtol=0.0, atol=1e-10)


def test_a_chain_is_its_direct_sum(positions, charges):
    cell = Cell(VECTORS, PERIODIC["chain"])
    far = np.arange(-20_000, 20_001)[:, None] * cell.vectors[1]
    expected = np.zeros(5)
    for i in range(5):
        for j in range(5):
            r2 = np.sum((positions[j] - positions[i] + far) ** 2, axis=1)
            expected[i] += charges[j] * np.sum((r2 + WIDTH**2)[r2 > 0.0] ** -0.5)
    np.testing.assert_allclose(potential(positions, cell, charges), expected, atol=1e-8)


@pytest.mark.parametrize("kind", PERIODIC)
def test_where_the_sum_is_split_does_not_matter(kind, positions, charges, monkeypatch):
    cell = Cell(VECTORS * [[1.0], [1.0], [3.0]], PERIODIC[kind])
    expected = potential(positions, cell, charges)
    for factor in (0.7, 1.5):
        split = {d: factor * value for d, value in ewald.SPLIT.items()}
        with monkeypatch.context() as changed:
            changed.setattr(ewald, "SPLIT", split)
            found = potential(positions, cell, charges)
        np.testing.assert_allclose(found, expected, rtol=0.0, atol=2e-14)


@pytest.mark.parametrize("kind", PERIODIC)
def test_supercells_wrapped_atoms_and_other_orders(kind, positions, charges):
    cell = Cell(VECTORS, PERIODIC[kind])
    expected = potential(positions, cell, charges)
    steps = np.arange(8).reshape(2, 2, 2)
    shifts = np.argwhere(steps >= 0)
    shifts = shifts[(shifts[:, ~cell.periodic] == 0).all(axis=1)]
    many = (positions[None] + (shifts @ cell.vectors)[:, None]).reshape(-1, 3)
    doubled = Cell(2.0 * VECTORS, PERIODIC[kind])
    found = potential(many, doubled, np.tile(charges, len(shifts))).reshape(-1, 5)
    np.testing.assert_allclose(found, np.tile(expected, (len(shifts), 1)), atol=1e-13)
    order = np.array([3, 1, 4, 0, 2])
    away = positions + np.array([[5, -3, 2]]) * cell.periodic @ cell.vectors
    np.testing.assert_allclose(
        potential(away[order], cell, charges[order]), expected[order], atol=1e-13
    )


@pytest.mark.parametrize("kind", PERIODIC)
def test_adjoint_and_strain(kind, positions, charges):
    cell = Cell(VECTORS, PERIODIC[kind])

    def forward(x, strain):
        F = np.eye(3) + strain
        return potential(x @ F.T, Cell(cell.vectors @ F.T, cell.periodic), charges)

    def adjoint(out_bar):
        return softened_sum_adjoint(positions, cell, WIDTH, np.outer(out_bar, charges))

    assert_adjoint(forward, adjoint, [positions, np.zeros((3, 3))], rtol=1e-9, step=2e-3)


def test_far_molecules_in_large_cells_see_the_law_itself(positions, charges):
    """Without dipole and the mean potential taken off, what is left of the images is of order
    1 / size^5."""
    charges = np.array([1.0, -2.0, 1.0])
    x = np.array([[0.0, 0.0, -1.5], [0.0, 0.0, 0.0], [0.0, 0.0, 1.5]])
    apart = np.sum((x[:, None] - x[None]) ** 2, axis=2)
    bare = (apart + WIDTH**2) ** -0.5
    np.fill_diagonal(bare, 0.0)
    cell = Cell(60.0 * np.eye(3), PERIODIC["crystal"])
    mean = 2.0 * np.pi / (3.0 * cell.measure) * charges @ np.sum(x**2, axis=1)
    np.testing.assert_allclose(
        potential(x, cell, charges) - mean, bare @ charges, rtol=0.0, atol=5e-7
    )
    for kind in ("chain", "layer"):
        found = potential(x, Cell(200.0 * np.eye(3), PERIODIC[kind]), charges)
        np.testing.assert_allclose(found, bare @ charges, rtol=0.0, atol=5e-6)
