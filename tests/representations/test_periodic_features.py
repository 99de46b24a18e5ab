"""Features of what repeats: supercells, boxes, symmetry, slopes, lattice sums of known value."""

import numpy as np
import pytest
from ase import Atoms
from harness import Move, assert_adjoint, wigner
from representation_walks import BONDS, ELEMENTS, EXPANSION, fitted_atoms

from mlsemi.errors import InputError
from mlsemi.lattice.cell import Cell
from mlsemi.lattice.ewald import softened_sum
from mlsemi.representations.centers import PairFeatures, symmetrised
from mlsemi.representations.correlations import irreps_up_to
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.lattice_potentials import Potential, upper_gamma
from mlsemi.representations.long_range_tables import LongRangeTable
from mlsemi.representations.message_correlations import MessageFeatures
from mlsemi.representations.neighbours import Neighbours, Points
from mlsemi.representations.potentials import PotentialFeatures
from mlsemi.representations.radial_tables import gaussian_orbitals
from mlsemi.representations.tensor_maps import samples_of, tensor_map
from mlsemi.representations.triples import TripleFeatures, symmetrised_triples
from mlsemi.representations.triplets import TripleScalars, TripletDescriptors
from mlsemi.symmetry.tensors import SCALAR, Irrep

CELL = np.array([[5.0, 0.0, 0.4], [0.9, 5.6, 0.0], [-0.5, 0.7, 6.2]])
"""Edges below the cutoff of 6 bohr: every atom sees its own images."""
NUMBERS = np.array([8, 6, 1])
POSITIONS = np.array([[0.3, 0.1, 0.2], [2.4, 0.6, 1.1], [1.0, 3.1, 2.9]])


def crystal(positions=POSITIONS, periodic=(True, True, True)):
    return Points(NUMBERS, positions, Cell(CELL, periodic))


DATA = [crystal(), crystal(POSITIONS + 0.2 * np.random.default_rng(0).normal(size=(3, 3)))]


@pytest.fixture(scope="module")
def walks():
    """Every feature of the suite: structures -> observables of atoms, with the adjoint."""
    atoms = fitted_atoms(2)
    pairs = PairFeatures.fit(DATA, BONDS, atoms, 1, 1, 5, 40)
    triples = TripleFeatures.fit(DATA[:1], BONDS, None, irreps_up_to(1), 4, 4, 20)
    messages = MessageFeatures.fit(DATA, BONDS, atoms, 1, 1, 1, 1, 5, 40)
    scalars = TripleScalars.fit(DATA[:1], BONDS, fitted_atoms(1), 4, 6)
    triplets = TripletDescriptors.fit(DATA[:1], scalars, 5, 1.0)
    fields = [Potential.of(ELEMENTS, power, 3.0, 2, 0.7) for power in (1, 3, 6)]
    potentials = PotentialFeatures.fit(DATA, fields, atoms, 1, 5, 40)

    def triplet_bars(structures, bars):
        return triplets.adjoint(structures, bars[0][SCALAR][:, 0])

    return {
        "atoms": (atoms, atoms.adjoint),
        "pairs": (lambda s: pairs(s).orders, pairs.adjoint),
        "triples": (lambda s: [triples(s).tensors], lambda s, b: triples.adjoint(s, b[0])),
        "messages": (messages, messages.adjoint),
        "triplets": (lambda s: [{SCALAR: triplets(s)[:, None]}], triplet_bars),
        "potentials": (potentials, potentials.adjoint),
        "parts": (pairs, triples),
    }


def names(walks, structures, kind):
    """What tells the samples of a feature apart: atoms, and translations of images."""
    pairs, triples = walks["parts"]
    if kind == "pairs":
        found = pairs(structures).neighbours
        centers, shifts = np.stack([found.first, found.second], axis=1), found.shift
    elif kind == "triples":
        found, triples, _ = triples(structures)
        centers, shifts = triples.centers(found), triples.shifts(found)
    else:
        found, centers, shifts = EXPANSION.neighbours(structures), None, None
    return [tuple(row) for row in samples_of(found, centers, shifts).tolist()]


KINDS = ["atoms", "pairs", "triples", "messages", "triplets", "potentials"]


@pytest.mark.parametrize("kind", KINDS)
def test_derivatives(walks, kind):
    forward, adjoint = walks[kind]
    there = names(walks, [crystal()], kind)

    def values(x):
        """Samples of the crystal as it is; what moves past the cutoff is zero."""
        place = {name: row for row, name in enumerate(names(walks, [crystal(x)], kind))}
        rows = [place.get(name, -1) for name in there]
        orders = forward([crystal(x)])
        padded = [np.pad(v, ((0, 1), (0, 0), (0, 0))) for o in orders for v in o.values()]
        return tuple(v[rows] for v in padded)

    def walked(*bars):
        left = iter(bars)
        return adjoint([crystal()], [{i: next(left) for i in o} for o in forward([crystal()])])

    assert_adjoint(values, walked, [POSITIONS], rtol=1e-7)


def by_atom(walks, structures, kind):
    """Orders of features of every atom; those of pairs and triples summed at their first atom."""
    orders = walks[kind][0](structures)
    pairs, triples = walks["parts"]
    if kind == "pairs":
        owner = pairs(structures).neighbours.first
    elif kind == "triples":
        found = triples(structures)
        owner = found.neighbours.first[found.triples.left]
    else:
        return orders
    n = sum(len(s.numbers) for s in structures)

    def summed(value):
        # squares as well: a sum of vectors can vanish
        out = np.zeros((n, *value.shape[1:]))
        np.add.at(out, owner, value * np.sum(value**2, axis=1, keepdims=True) ** 0.5)
        return out

    return [{i: summed(v) for i, v in order.items()} for order in orders]


@pytest.mark.parametrize("kind", KINDS)
def test_a_supercell_is_the_same_crystal(walks, kind):
    """Twice the cell along one vector and skewed along another: the lattice is the same."""
    turn = np.array([[2, 0, 0], [0, 1, 0], [1, 0, 1]])
    x = np.concatenate([POSITIONS, POSITIONS + CELL[0] - 2 * CELL[2]])
    double = Points(np.tile(NUMBERS, 2), x, Cell(turn @ CELL, [True] * 3))
    for one, two in zip(
        by_atom(walks, [crystal()], kind), by_atom(walks, [double], kind), strict=True
    ):
        for irrep, value in one.items():
            np.testing.assert_allclose(two[irrep][:3], value, atol=2e-10)
            np.testing.assert_allclose(two[irrep][3:], value, atol=2e-10)
        assert max(np.abs(v).max() for v in one.values()) > 1e-3


@pytest.mark.parametrize("improper", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_equivariance(walks, kind, improper):
    """Turned, shifted and renumbered, with atoms moved to other cells; beside a molecule."""
    move = Move.random(3, 5, improper)
    whole = np.array([[1, 0, -1], [0, 2, 0], [0, 0, 0]]) @ CELL
    x = (POSITIONS + whole)[move.order] @ move.rotation.T + move.shift
    moved = Points(NUMBERS[move.order], x, Cell(CELL @ move.rotation.T, [True] * 3))
    molecule = Points(NUMBERS, POSITIONS)
    before = by_atom(walks, [crystal()], kind)
    after = by_atom(walks, [molecule, moved], kind)
    for one, two in zip(before, after, strict=True):
        for irrep, value in one.items():
            sign = irrep.sigma if improper else 1
            expected = sign * np.einsum("mn,xnk->xmk", wigner(irrep.l, move.rotation), value)
            np.testing.assert_allclose(two[irrep][3:], expected[move.order], atol=1e-9)


@pytest.mark.parametrize(
    "periodic", [(True, False, False), (True, True, False), (True, True, True)]
)
@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_large_box_is_a_molecule(walks, kind, periodic):
    """Chains, layers, crystals whose images are beyond the cutoff."""
    boxed = Points(NUMBERS, POSITIONS, Cell(30.0 * np.eye(3), periodic))
    free = by_atom(walks, [Points(NUMBERS, POSITIONS)], kind)
    for one, two in zip(free, by_atom(walks, [boxed], kind), strict=True):
        for irrep, value in one.items():
            np.testing.assert_allclose(two[irrep], value, atol=1e-13)


def test_exchange_of_centers(walks):
    """A pair and its way back; the six orders of a triple, images among them."""
    pairs, triples = walks["parts"]
    neighbours, orders = pairs([crystal()])
    back = neighbours.reverse
    np.testing.assert_array_equal(back[back], np.arange(back.size))
    np.testing.assert_array_equal(neighbours.shift[back], -neighbours.shift)
    np.testing.assert_allclose(neighbours.unit[back], -neighbours.unit, atol=1e-14)
    odd = symmetrised(orders[1], back, -1)[SCALAR]
    np.testing.assert_allclose(odd[back], -odd, atol=1e-14)
    neighbours, found, tensors = triples([crystal()])
    orbit = found.orbit(neighbours)
    assert (orbit[:, 0] == np.arange(len(orbit))).all()
    assert (orbit < 0).any()
    assert (orbit >= 0).all(axis=1).any()
    full = orbit[(orbit >= 0).all(axis=1)]
    even = symmetrised_triples(tensors, orbit, 1)[SCALAR]
    for column in full.T:
        np.testing.assert_allclose(even[column], even[full[:, 0]], atol=1e-12)
    # the side across is as long as the vectors say
    l, r = found.left[full[:, 2]], found.right[full[:, 2]]
    vector = neighbours.distance[:, None] * neighbours.unit
    gap = vector[found.right[full[:, 0]]] - vector[found.left[full[:, 0]]]
    np.testing.assert_allclose(neighbours.distance[r], np.linalg.norm(gap, axis=1), atol=1e-12)
    np.testing.assert_allclose(vector[l], -vector[found.left[full[:, 0]]], atol=1e-12)


def test_images_are_told_apart_in_tensor_maps(walks):
    mts = pytest.importorskip("metatensor")
    neighbours, orders = walks["parts"][0]([crystal()])
    centers = np.stack([neighbours.first, neighbours.second], axis=1)
    with pytest.raises(InputError, match="translations of images"):
        tensor_map(orders[0], samples_of(neighbours, centers))
    named = tensor_map(orders[0], samples_of(neighbours, centers, neighbours.shift))
    assert isinstance(named, mts.TensorMap)
    assert named.sample_names[-3:] == ["cell_shift_a", "cell_shift_b", "cell_shift_c"]
    found = walks["parts"][1]([crystal()])
    samples = samples_of(
        found.neighbours,
        found.triples.centers(found.neighbours),
        found.triples.shifts(found.neighbours),
    )
    assert len(tensor_map(found.tensors, samples).sample_names) == 10


def test_upper_gamma():
    """int_x^inf u^(a-1) exp(-u) du, with u = x / s."""
    x = np.array([0.3, 2.0, 9.0])
    t, w = np.polynomial.legendre.leggauss(200)
    s = 0.5 * (t + 1.0)
    for a in (1.0, 0.5, 0.0, -0.5, -1.0, -1.5):
        u = x[:, None] / s
        expected = (u ** (a - 1.0) * np.exp(-u) * u / s) @ (0.5 * w)
        np.testing.assert_allclose(upper_gamma(a, x), expected, rtol=1e-9)


def test_fast_powers_are_sums_over_images():
    """1/r^6, image by image: what lies beyond a radius falls as its cube."""
    found = Potential.of(ELEMENTS, 6, 3.0, 3, 0.7)([crystal()])
    table = Expansion(ELEMENTS, LongRangeTable.of(6, 3.0, 3, 0.7))
    near, far = (table(Neighbours.of([crystal()], ELEMENTS, r, 3)) for r in (20.0, 40.0))
    for irrep, value in found.items():
        gaps = [np.abs(one[irrep] - value).max() / np.abs(value).max() for one in (near, far)]
        assert gaps[1] < max(0.2 * gaps[0], 1e-9)
        assert gaps[1] < 1e-4


def test_madelung_constant():
    """Rock salt: charges +1 and -1 whose smeared potential in a small sphere is -1.7476 / r."""
    r = 4.0
    x = r * np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=float)
    salt = Points(
        np.array([6] * 4 + [8] * 4),
        np.concatenate([x, x + np.array([r, 0.0, 0.0])]),
        Cell(2.0 * r * np.eye(3), [True] * 3),
    )
    sphere, width = 1.2, 0.3
    value = Potential.of((6, 8), 1, sphere, 1, width)([salt])[SCALAR][:, 0]
    norm = np.sqrt(4.0 * np.pi * 3.0 / sphere**3) * sphere**3 / 3.0  # of 1 in the sphere
    np.testing.assert_allclose((value[:, 0] - value[:, 1])[:4] / norm, -1.747564594633 / r, 1e-8)
    np.testing.assert_allclose((value[:, 1] - value[:, 0])[4:] / norm, -1.747564594633 / r, 1e-8)


def test_the_level_is_that_of_ewald():
    """l = 0 of p = 1 for neutral charges, in a small sphere: the sum of `softened_sum`."""
    sphere, width = 0.6, 0.1
    found = Potential.of(ELEMENTS, 1, sphere, 1, width)([crystal()])[SCALAR][:, 0]
    norm = np.sqrt(4.0 * np.pi * 3.0 / sphere**3) * sphere**3 / 3.0
    charges = np.array([1.0, -0.3, -0.7])
    columns = [ELEMENTS.index(z) for z in NUMBERS]
    potential = found[:, columns] @ charges / norm
    softening = 1e-3
    expected = softened_sum(POSITIONS, Cell(CELL, [True] * 3), softening) @ charges
    np.testing.assert_allclose(potential, expected, atol=1e-6)


@pytest.mark.parametrize("power", [1, 2, 3, 6])
def test_potentials_are_those_of_featomic(power):
    """Its sum over waves, the level of the potential included."""
    featomic = pytest.importorskip("featomic")
    radius, width = 2.0, 0.8
    hypers = {
        "density": {
            "type": "SmearedPowerLaw",
            "smearing": width,
            "exponent": power,
            "center_atom_weight": 0.0,
        },
        "basis": {
            "type": "TensorProduct",
            "max_angular": 3,
            "radial": {"type": "Gto", "max_radial": 2, "radius": radius},
            "spline_accuracy": 1e-9,
        },
        "k_cutoff": 11.0,
    }
    frame = Atoms(NUMBERS, POSITIONS, cell=CELL, pbc=True)
    found = featomic.LodeSphericalExpansion(**hypers).compute([frame])
    # the functions have vanished at the end of our sphere
    functions = gaussian_orbitals(radius, 3, 4)
    mine = Potential.of(ELEMENTS, power, 3.0 * radius, 4, width, functions)([crystal()])
    compared = 0.0
    for key, block in found.items():
        first = 3 * ELEMENTS.index(int(key["neighbor_type"]))
        value = mine[Irrep(int(key["o3_lambda"]), 1)][block.samples.values[:, 1]]
        np.testing.assert_allclose(value[:, :, first : first + 3], block.values, rtol=0, atol=2e-6)
        compared = max(compared, np.abs(block.values).max())
    assert compared > 0.02


@pytest.mark.parametrize("periodic", [(True, False, False), (True, True, False)])
def test_what_cannot_be_done_is_one_line(periodic):
    with pytest.raises(InputError, match=r"structure 1: the potential of a (chain|layer)"):
        Potential.of(ELEMENTS, 1, 3.0, 2, 0.7)([crystal(), crystal(periodic=periodic)])
    table = Expansion(ELEMENTS, LongRangeTable.of(1, 3.0, 2, 0.7))
    with pytest.raises(InputError, match="Potential does it"):
        table.neighbours([crystal()])
    twice = Points(np.array([8, 8]), np.array([[0.0, 0, 0], CELL[0]]), Cell(CELL, [True] * 3))
    with pytest.raises(InputError, match="structure 0: atom 0 and atom 1 are at the same place"):
        EXPANSION.neighbours([twice])


def test_cells_of_others_are_refused():
    """ASE counts in angstrom, and its molecules have a cell of zeros."""
    frame = Atoms(NUMBERS, POSITIONS, cell=CELL, pbc=True)
    potential = Potential.of(ELEMENTS, 1, 3.0, 2, 0.7)
    for ask in (EXPANSION.neighbours, potential):
        with pytest.raises(InputError, match="Atoms is no structure of mlsemi"):
            ask([frame])
    with pytest.raises(InputError, match="these features know"):
        potential([Points(np.array([8, 6, 9]), POSITIONS, Cell(CELL, [True] * 3))])
    with pytest.raises(InputError, match="no finite numbers"):
        potential([crystal(POSITIONS * np.nan)])
    with pytest.raises(InputError, match="no structures"):
        potential([])
