"""Character of excited states: against natural transition orbitals, textbook cases, symmetry."""

import numpy as np
import pytest
from harness import Move
from huckel import distorted, huckel, named

from mlsemi.errors import InputError
from mlsemi.excited.analysis import analyse, fragments_of, pi_directions
from mlsemi.excited.excitations import excite
from mlsemi.molecule.structure import Structure


def analysed(molecule, n=6, multiplicity="singlet", fragments=None):
    states = excite(molecule.state, molecule.interaction(), n, multiplicity)
    basis = molecule.basis
    at = (molecule.structure, basis.orbital_l, basis.orbital_atom)
    return states, analyse(states, molecule.state, *at, fragments)


def test_hole_and_electron_are_those_of_the_natural_transition_orbitals():
    molecule = distorted("C5H5N")
    states, found = analysed(molecule, 8)
    atom = molecule.basis.orbital_atom
    for k in range(states.n_state):
        weights, holes, particles = states.natural_orbitals(k, molecule.state)
        assert found.participation_ratios[k] == pytest.approx(1.0 / (weights**2).sum(), abs=1e-10)
        for orbitals, populations in ((holes, found.detachment), (particles, found.attachment)):
            expected = np.bincount(atom, (orbitals**2) @ weights, minlength=atom.max() + 1)
            np.testing.assert_allclose(populations[k], expected, atol=1e-12)
        centroid = (found.attachment[k] - found.detachment[k]) @ molecule.structure.positions
        assert found.displacements[k] == pytest.approx(np.linalg.norm(centroid))
    assert found.participation_ratios.max() > 1.2
    for shares in (found.hole, found.electron):
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-12)
        assert shares.min() > -1e-12


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("H2CO", "n-pi*"),
        ("C2H4", "pi-pi*"),
        ("C2H2", "pi-pi*"),
        ("C6H6", "pi-pi*"),
        ("H2O", "n-sigma*"),
        ("CH3OH", "n-sigma*"),
        ("CH4", "sigma-sigma*"),
    ],
)
def test_textbook_labels_of_the_lowest_triplet(name, label):
    assert analysed(named(name), 1, "triplet")[1].labels == (label,)


def test_nothing_depends_on_orientation_or_order():
    molecule = distorted("H2CO", amplitude=0.1)
    move = Move.random(molecule.structure.n_atom, 3, improper=True)
    moved = huckel(move.structure(molecule.structure))
    (_, one), (_, two) = analysed(molecule), analysed(moved)
    np.testing.assert_allclose(two.detachment, one.detachment[:, move.order], atol=1e-9)
    np.testing.assert_allclose(two.hole, one.hole, atol=1e-9)
    np.testing.assert_allclose(two.electron, one.electron, atol=1e-9)
    np.testing.assert_allclose(two.displacements, one.displacements, atol=1e-9)
    assert one.labels == two.labels


def pair(distance):
    left, right = named("H2CO").structure, named("C2H4").structure
    away = right.positions + np.array([0.0, distance, 0.0])
    numbers = np.concatenate([left.numbers, right.numbers])
    return huckel(Structure(numbers, np.concatenate([left.positions, away])))


def test_charge_transfer_between_molecules():
    molecule = pair(15.0)
    _, found = analysed(molecule, 400)
    assert found.fragments == (tuple(range(4)), tuple(range(4, 10)))
    np.testing.assert_allclose(found.charge_transfer.sum(axis=(1, 2)), 1.0, atol=1e-10)
    # far apart, an electron either stays on its molecule or goes to the other one (but for
    # states that happen to have the same energy)
    moved = found.charge_transfer_numbers
    assert (np.minimum(moved, 1.0 - moved) < 1e-6).mean() > 0.95
    assert 0.2 < (moved > 0.5).mean() < 0.8
    assert found.displacements[moved > 0.999].min() > 8.0
    on_first = found.detachment[:, :4].sum(axis=1)
    np.testing.assert_allclose(found.charge_transfer.sum(axis=2)[:, 0], on_first, atol=1e-12)


def test_fragments_as_given():
    molecule = distorted("H2CO")
    _, found = analysed(molecule, 3, fragments=[[0]])
    assert found.fragments == ((0,), (1, 2, 3))
    expected = found.charge_transfer[:, 0, 1] + found.charge_transfer[:, 1, 0]
    np.testing.assert_allclose(found.charge_transfer_numbers, expected, atol=1e-12)
    np.testing.assert_allclose(found.charge_transfer[:, 0].sum(axis=1), found.detachment[:, 0])
    with pytest.raises(InputError, match="atom 9 does not exist"):
        fragments_of(4, np.zeros((4, 4), bool), [[9]])
    with pytest.raises(InputError, match="two fragments"):
        fragments_of(4, np.zeros((4, 4), bool), [[0, 1], [1]])


def test_pi_directions():
    ring = named("C6H6").structure
    reach = np.linalg.norm(ring.positions[:, None] - ring.positions, axis=2)
    bonds = (reach < 3.0) & (reach > 0.1)
    found = pi_directions(ring.positions, bonds, np.arange(6))
    np.testing.assert_allclose(found[:6], [np.diag([0.0, 0.0, 1.0])] * 6, atol=1e-8)
    assert not found[6:].any()
    line = np.array([[0, 0, z] for z in (-3.0, -1.0, 1.0, 3.0)])
    bonds = np.abs(np.subtract.outer(range(4), range(4))) == 1
    np.testing.assert_allclose(
        pi_directions(line, bonds, np.array([1, 2])),
        [np.zeros((3, 3)), np.diag([1.0, 1, 0]), np.diag([1.0, 1, 0]), np.zeros((3, 3))],
        atol=1e-12,
    )


def test_no_states():
    states, found = analysed(named("H2O"), 0)
    assert states.n_state == 0
    assert found.labels == ()
    assert found.charge_transfer_numbers.shape == (0,)
