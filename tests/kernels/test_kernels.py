"""Every kernel against its slow twin in ``naive.py``; adjoints against the twin's Jacobian."""

import naive
import numpy as np
import pytest
from molecules import distorted

from mlsemi.kernels import blocks, coupling, density, geometry
from mlsemi.model.terms import messages
from mlsemi.symmetry.blocks import N_ATOM_IRREP
from mlsemi.symmetry.so3 import N_HARMONIC, CouplingTable, clebsch_gordan, components

CUTOFF = 5.0
N_SPECIES, N_RADIAL, N_CHANNEL = 3, 4, 2
PATHS = ((0, 1, 1), (1, 1, 0), (1, 1, 1), (2, 1, 2), (1, 2, 2), (2, 2, 1))
OFFSETS = (0, 3, 4, 7, 7, 12)
TABLE = CouplingTable.of(PATHS, OFFSETS)
DEGREE = np.array([l2 for _, l2, _ in PATHS])


def same(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(3)


@pytest.fixture(scope="module")
def positions():
    one, two = distorted("HCOOH"), distorted("CH3OH", seed=2)
    return np.concatenate([one.positions, two.positions])


@pytest.fixture(scope="module")
def pairs(positions):
    start = np.array([0, 5, positions.shape[0]])
    return naive.pairs(positions, start, CUTOFF)


def test_pair_search(positions):
    for start in ([0, 5, 11], [0, 11], [0, 1, 11]):
        start = np.array(start)
        expected = naive.pairs(positions, start, CUTOFF)
        count = geometry.count_pairs(positions, start, CUTOFF)
        first, second = geometry.find_pairs(positions, start, CUTOFF, count)
        assert count == expected.shape[1] > 0
        np.testing.assert_array_equal([first, second], expected)
    assert geometry.count_pairs(positions, np.array([0, 11]), CUTOFF) < 11 * 10


def test_nearest_neighbours():
    rng = np.random.default_rng(4)
    positions, radius = rng.normal(size=(12, 3)), rng.uniform(0.5, 1.5, 12)
    found = geometry.nearest(positions, radius)
    for one, two in zip(found, naive.nearest(positions, radius), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-14)
    alone = geometry.nearest(positions[:1], radius[:1])
    assert (alone[0][0], alone[1][0]) == (np.inf, -1)


@pytest.mark.parametrize("n_atom", [1, 2, 12, 40])
def test_molecules_and_contacts(n_atom):
    """Random atoms from one molecule to many, every third of them with one bond at most."""
    rng = np.random.default_rng(n_atom)
    least = np.array([2, 3, 4])
    seen = set()
    for size in (1.0, 1.5, 2.0, 4.0):
        x = size * rng.normal(size=(n_atom, 3))
        radius, heavy = rng.uniform(0.3, 0.6, n_atom), rng.integers(0, 2, n_atom)
        partner = np.where(np.arange(n_atom) % 3, -1, geometry.nearest(x, radius)[1])
        start, neighbour = geometry.bonds(x, radius, 1.4, partner)
        bonded = naive.bonds(x, radius, 1.4, partner)
        np.testing.assert_array_equal(np.diff(start), bonded.sum(axis=1))
        np.testing.assert_array_equal(neighbour, np.nonzero(bonded)[1])
        rest = (radius, heavy, np.array([1.6, 1.8, 2.0]), 2.5, least)
        found = geometry.contacts(x, start, neighbour, *rest)
        expected = naive.contacts(x, bonded, *rest)
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[1:3] == expected[1:3]
        assert found[3] == pytest.approx(expected[3], rel=1e-12)
        assert found[4] == expected[4]
        seen.add((found[0].max() > 0, np.isfinite(found[3]), found[4] > 0))
    assert n_atom < 40 or {(True, True, True)} <= seen


def test_pair_vectors(positions, pairs, rng):
    first, second = pairs
    r, unit = geometry.pair_vectors(positions, first, second)
    for actual, expected in zip(
        (r, unit), naive.pair_vectors(positions, first, second), strict=True
    ):
        same(actual, expected)
    r_bar, unit_bar = rng.normal(size=r.shape), rng.normal(size=unit.shape)
    out = np.ones_like(positions)
    geometry.pair_vectors_adjoint(first, second, r, unit, r_bar, unit_bar, out)
    twin = naive.adjoint(
        lambda x: naive.pair_vectors(x, first, second), [positions], 0, r_bar, unit_bar
    )
    same(out, 1.0 + twin)


def test_harmonics(rng):
    unit = rng.normal(size=(7, 3))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    same(geometry.harmonics(unit), naive.harmonics(unit))
    out_bar = rng.normal(size=(7, N_HARMONIC))
    twin = naive.adjoint(naive.harmonics, [unit], 0, out_bar)
    # Off the sphere the polynomials may differ along u; only tangents of the sphere matter.
    ours = geometry.harmonics_adjoint(unit, out_bar)
    for bar in (ours, twin):
        bar -= np.einsum("px,px->p", bar, unit)[:, None] * unit
    same(ours, twin)


def test_radial(rng):
    r = rng.uniform(1.0, CUTOFF, 9)
    rest = (CUTOFF, 0.4, np.linspace(0.1, 0.7, N_RADIAL), 12.0)
    values, envelope = geometry.radial(r, *rest)
    twin_values, twin_envelope = naive.radial(r, *rest)
    same(values, twin_values)
    same(envelope, twin_envelope)
    bars = rng.normal(size=values.shape), rng.normal(size=9)
    twin = naive.adjoint(lambda x: naive.radial(x, *rest), [r], 0, *bars)
    same(geometry.radial_adjoint(r, *rest, *bars), twin)


def test_density(pairs, rng):
    first = pairs[0]
    species = rng.integers(0, N_SPECIES, first.size)
    basis, sphere = (rng.normal(size=(first.size, n)) for n in (N_RADIAL, N_HARMONIC))

    def twin(b, y):
        return naive.density(first, species, b, y, 11, N_SPECIES)

    out = density.density(first, species, basis, sphere, 11, N_SPECIES)
    same(out, twin(basis, sphere))
    out_bar = rng.normal(size=out.shape)
    bars = [np.ones_like(basis), np.ones_like(sphere)]
    density.density_adjoint(first, species, basis, sphere, out_bar, *bars)
    for n, bar in enumerate(bars):
        same(bar, 1.0 + naive.adjoint(twin, [basis, sphere], n, out_bar))


def test_messages(pairs, rng):
    first, second = pairs[:, :20]
    arrays = [
        rng.normal(size=(first.size, N_HARMONIC)),
        rng.normal(size=(first.size, len(messages.PATHS), N_CHANNEL)),
        rng.normal(size=(11, N_HARMONIC, N_CHANNEL)),
    ]
    flat = [arrays[0], *(a.reshape(a.shape[0], -1) for a in arrays[1:])]
    forward, backward = messages.kernels_of(N_CHANNEL)
    offsets = [l * l for _, _, l in messages.PATHS]

    def twin(sphere, weights, nodes):
        """Both directions of each pair."""
        ends = np.concatenate([[first, second], [second, first]], axis=1)
        both = np.concatenate([sphere, parity * sphere]), np.concatenate([weights, weights])
        return naive.messages(*ends, *both, nodes, messages.PATHS, offsets, N_HARMONIC)

    parity = (-1.0) ** np.repeat([0, 1, 2], [1, 3, 5])
    out = forward(first, second, *flat)
    same(out.reshape(arrays[2].shape), twin(*arrays))
    out_bar = rng.normal(size=arrays[2].shape)
    bars = backward(first, second, *flat, out_bar.reshape(out.shape))
    for n, bar in enumerate(bars):
        same(bar.reshape(arrays[n].shape), naive.adjoint(twin, arrays, n, out_bar))


def test_message_kernels_of_two_sizes_have_two_names():
    """Cached functions of one name get in each other's way, whatever they close over."""
    names = {kernel.py_func.__qualname__ for n in (3, 5) for kernel in messages.kernels_of(n)}
    assert len(names) == 4


def test_couple(rng):
    arrays = [rng.normal(size=(4, N_HARMONIC, N_CHANNEL)) for _ in range(2)]

    def twin(*moved):
        return naive.couple(*moved, PATHS, OFFSETS, TABLE.n_out)

    out = coupling.couple(*arrays, TABLE.entries, TABLE.coefficient, TABLE.n_out)
    same(out, twin(*arrays))
    out_bar = rng.normal(size=out.shape)
    bars = coupling.couple_adjoint(*arrays, TABLE.entries, TABLE.coefficient, out_bar)
    for n, bar in enumerate(bars):
        same(bar, naive.adjoint(twin, arrays, n, out_bar))


def test_open_gates(rng):
    arrays = [rng.normal(size=(5, N_HARMONIC, N_CHANNEL)), rng.normal(size=(5, 3 * N_CHANNEL))]
    out = density.open_gates(*arrays)
    same(out, naive.open_gates(*arrays))
    out_bar = rng.normal(size=out.shape)
    for n, bar in enumerate(density.open_gates_adjoint(*arrays, out_bar)):
        same(bar, naive.adjoint(naive.open_gates, arrays, n, out_bar))


@pytest.mark.parametrize("n_part", [1, 2])
def test_scalar_products(rng, n_part):
    features = rng.normal(size=(4, N_HARMONIC, n_part * N_CHANNEL))

    def twin(moved):
        return naive.scalar_products(moved, N_CHANNEL)

    out = density.scalar_products(features, N_CHANNEL)
    same(out, twin(features))
    out_bar, bar = rng.normal(size=out.shape), np.ones_like(features)
    density.scalar_products_adjoint(features, N_CHANNEL, out_bar, bar)
    same(bar, 1.0 + naive.adjoint(twin, [features], 0, out_bar))


def test_irreps_read_off_features(rng):
    features, label = rng.normal(size=(5, N_HARMONIC, N_CHANNEL)), rng.integers(0, 3, 5)
    degree, maps = np.array([0, 1, 0, 2]), rng.normal(size=(3, N_CHANNEL, 4))
    out = np.ones((5, 10))
    coupling.read_irreps(features, label, maps, degree, out)
    same(out, 1.0 + naive.read_irreps(features, label, maps, degree))


def test_irreps_of_the_distance(rng):
    basis, sphere = rng.normal(size=(6, N_RADIAL)), rng.normal(size=(6, N_HARMONIC))
    label, maps = rng.integers(0, 3, 6), rng.normal(size=(3, N_RADIAL, 3))
    degree, place = np.array([0, 2, 1]), np.array([0, 4, 1])
    out = np.ones((6, 10))
    values = coupling.radial_irreps(basis, sphere, label, maps, degree, place, out)
    same(out, 1.0 + naive.radial_irreps(basis, sphere, label, maps, degree, place, 10))
    same(values, np.einsum("pk,pkn->pn", basis, maps[label]))


def test_bond_invariants(pairs, rng):
    first, second = pairs[:, :12]
    arrays = [
        rng.normal(size=(first.size, N_HARMONIC)),
        rng.normal(size=(11, N_HARMONIC, N_CHANNEL)),
    ]

    def twin(*moved):
        return naive.bond_invariants(first, second, *moved)

    out = coupling.bond_invariants(first, second, *arrays)
    same(out, twin(*arrays))
    out_bar = rng.normal(size=out.shape)
    bars = [np.ones_like(a) for a in arrays]
    coupling.bond_invariants_adjoint(first, second, *arrays, out_bar, *bars)
    for n, bar in enumerate(bars):
        same(bar, 1.0 + naive.adjoint(twin, arrays, n, out_bar))


def test_mix_channels(rng):
    weights = rng.normal(size=(len(PATHS), 2 * N_CHANNEL))
    nodes = rng.normal(size=(2, N_HARMONIC, N_CHANNEL))
    scale = rng.normal(size=weights.shape)
    both = np.empty((N_HARMONIC, 2 * N_CHANNEL))
    coupling.side_by_side(*nodes, both)
    same(both, np.concatenate(nodes, axis=1))
    place = coupling.places_of(DEGREE)
    mixed = np.full(place[-1], np.nan)
    coupling.mix_channels(weights / scale, scale, both, DEGREE, mixed)
    expected = naive.mix_channels(weights, *nodes, DEGREE, N_HARMONIC)
    for q, l in enumerate(DEGREE.tolist()):
        same(mixed[place[q] + np.arange(l * l, (l + 1) ** 2)], expected[q, components(l)])


@pytest.mark.parametrize("n_pair", [9, coupling.BLOCK + 6])
def test_bond_tensors(pairs, rng, n_pair):
    first, second = np.resize(pairs, (2, n_pair))
    label = rng.integers(0, 3, first.size)
    arrays = [
        rng.normal(size=(first.size, N_HARMONIC)),
        rng.normal(size=(first.size, len(PATHS), 2 * N_CHANNEL)),
        rng.normal(size=(3, len(PATHS), 2 * N_CHANNEL)),
        rng.normal(size=(11, N_HARMONIC, N_CHANNEL)),
    ]
    table = DEGREE, TABLE.entries, TABLE.coefficient

    def twin(*moved):
        return naive.bond_tensors(first, second, label, *moved, PATHS, OFFSETS, TABLE.n_out)

    out = coupling.bond_tensors(first, second, label, *arrays, *table, TABLE.n_out)
    same(out, twin(*arrays))
    if n_pair > coupling.BLOCK:
        return
    out_bar = rng.normal(size=out.shape)
    bars = coupling.bond_tensors_adjoint(first, second, label, *arrays, *table, out_bar)
    for n, bar in enumerate(bars):
        same(bar, naive.adjoint(twin, arrays, n, out_bar))


T0 = np.ascontiguousarray(clebsch_gordan(1, 1, 0)[:, :, 0])
T1, T2 = clebsch_gordan(1, 1, 1), clebsch_gordan(1, 1, 2)
HAS_P = np.array([True, False, True, True])
ORBITAL = np.array([0, 4, 5, 9])
N_ORBITAL = 13


def test_add_pairs(rng):
    first, second = np.array([(i, j) for i in range(4) for j in range(4) if i != j]).T
    irreps = rng.normal(size=(first.size, 13))

    def twin(moved):
        return naive.add_pairs(first, second, ORBITAL, HAS_P, moved, N_ORBITAL)

    half = np.zeros((N_ORBITAL, N_ORBITAL))
    blocks.add_pairs(first, second, ORBITAL, HAS_P, irreps, T0, T1, T2, half)
    same(half + half.T, twin(irreps))
    bar = rng.normal(size=half.shape)
    out = np.full_like(irreps, 7.0)
    blocks.add_pairs_adjoint(first, second, ORBITAL, HAS_P, bar + bar.T, T0, T1, T2, out)
    same(out, naive.adjoint(twin, [irreps], 0, bar))


def test_add_atoms(rng):
    atoms = np.array([2, 0, 1])
    irreps = rng.normal(size=(4, N_ATOM_IRREP))

    def twin(moved):
        return naive.add_atoms(atoms, ORBITAL, HAS_P, moved, N_ORBITAL)

    half = np.zeros((N_ORBITAL, N_ORBITAL))
    blocks.add_atoms(atoms, ORBITAL, HAS_P, irreps, T0, T2, half)
    same(half + half.T, twin(irreps))
    bar = rng.normal(size=half.shape)
    out = np.zeros_like(irreps)
    blocks.add_atoms_adjoint(atoms, ORBITAL, HAS_P, bar + bar.T, T0, T2, out)
    same(out, naive.adjoint(twin, [irreps], 0, bar))
