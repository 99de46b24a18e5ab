"""Bands, energies and their derivatives: what must be exact needs no data."""

import numpy as np
import pytest
from crystals import PERIODIC, polyethylene, sheet, skew, strained, structure
from harness import Move
from molecules import FORMS, SMALL, random_model

from mlsemi.ground.state import ground_state
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.periodic.bloch import BlochOperator, blocks_adjoint
from mlsemi.periodic.bond_orders import bond_orders
from mlsemi.periodic.density_of_states import density_of_states
from mlsemi.periodic.kpoints import mesh
from mlsemi.periodic.masses import curvatures
from mlsemi.periodic.state import cell_energy, cell_state, diagonalise, energy_gradient
from mlsemi.units import HARTREE_EV

KT = 0.03
COUNTS = {"chain": (1, 3, 1), "layer": (2, 3, 1), "crystal": (2, 1, 3)}


@pytest.fixture(scope="module")
def model():
    return random_model()


def predicted(model, given):
    pairs = PairList.of([given], model.form.elements, model.form.cutoff)
    return pairs, *model.predict(pairs)


def stateof(model, given, counts=(1, 1, 1), kt=0.0, centred=True):
    _, prediction, _ = predicted(model, given)
    state = cell_state(prediction.hamiltonian, mesh(counts, centred), kt)
    return state, cell_energy(model, prediction, state)


def whole_levels(state):
    n = np.prod(state.kpoints.counts)
    times = np.round(state.kpoints.weights * n).astype(int)
    return np.sort(np.repeat(state.filling.energies, times, axis=0), axis=None)


@pytest.mark.parametrize("kind", PERIODIC)
@pytest.mark.parametrize("kt", [0.0, KT])
def test_a_mesh_is_a_supercell_at_gamma(model, kind, kt):
    atoms, counts = skew(kind), COUNTS[kind]
    n = np.prod(counts)
    state, energy = stateof(model, structure(atoms), counts, kt)
    large, total = stateof(model, structure(atoms.repeat(counts)), kt=kt)
    np.testing.assert_allclose(
        whole_levels(state), whole_levels(large), rtol=0.0, atol=1e-9 / HARTREE_EV
    )
    assert abs(total / n - energy) * HARTREE_EV < 1e-9
    charges = large.charges.reshape(n, -1)
    np.testing.assert_allclose(charges, np.tile(state.charges, (n, 1)), rtol=0.0, atol=1e-10)
    assert abs(state.charges.sum()) < 1e-10
    assert np.abs(state.charges).max() > 0.01
    if kt:
        assert state.filling.fermi == pytest.approx(large.filling.fermi, abs=1e-10)


def test_meshes_beside_gamma_are_twisted_supercells(model):
    """Points of Monkhorst and Pack with two along a: a supercell with phases -1 along it."""
    given = structure(skew("chain"))
    state, _ = stateof(model, given, (1, 2, 1), centred=False)
    large = structure(skew("chain").repeat((1, 2, 1)))
    _, prediction, _ = predicted(model, large)
    energies, _ = diagonalise(BlochOperator.of(prediction.hamiltonian), np.array([[0, 0.5, 0]]))
    np.testing.assert_allclose(whole_levels(state), np.sort(energies[0]), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("kind", PERIODIC)
def test_wrapped_moved_turned_permuted_and_doubled_cells(model, kind):
    given = structure(skew(kind))
    state, energy = stateof(model, given, COUNTS[kind], KT)
    cell = given.cell
    images = np.random.default_rng(0).integers(-2, 3, size=(given.n_atom, 3)) * cell.periodic
    away = Structure(given.numbers, given.positions + images @ cell.vectors, cell=cell)
    move = Move.random(given.n_atom, 0, improper=True)
    turned = move.structure(given)
    vectors = type(cell)(cell.vectors @ move.rotation.T, cell.periodic)
    turned = Structure(turned.numbers, turned.positions, cell=vectors)
    for other, order in ((away, np.arange(given.n_atom)), (turned, move.order)):
        found, same = stateof(model, other, COUNTS[kind], KT)
        assert abs(same - energy) < 1e-10
        np.testing.assert_allclose(found.filling.energies, state.filling.energies, atol=1e-10)
        np.testing.assert_allclose(found.charges, state.charges[order], atol=1e-9)


@pytest.mark.parametrize("kind", PERIODIC)
def test_the_operator_is_a_bloch_sum_of_its_blocks(model, kind):
    given = structure(skew(kind))
    _, prediction, _ = predicted(model, given)
    bloch = BlochOperator.of(prediction.hamiltonian)
    np.testing.assert_allclose(
        bloch.at(np.zeros(3)), prediction.hamiltonian.matrix(0), rtol=0.0, atol=1e-13
    )
    point = np.array([0.13, -0.31, 0.27]) * given.cell.periodic
    H = bloch.at(point)
    np.testing.assert_allclose(H, H.conj().T, rtol=0.0, atol=1e-14)
    np.testing.assert_allclose(bloch.at(-point), H.conj(), rtol=0.0, atol=1e-14)
    np.testing.assert_allclose(bloch.at(point + np.array([1, 0, 0])), H, rtol=0.0, atol=1e-12)
    bar = np.random.default_rng(0).normal(size=bloch.blocks.shape)
    back = blocks_adjoint(prediction.hamiltonian, bar)
    walked = np.sum(back.atoms * prediction.hamiltonian.atoms)
    walked += np.sum(back.bonds * prediction.hamiltonian.bonds)
    assert walked == pytest.approx(np.sum(bar * bloch.blocks), rel=1e-12)


@pytest.mark.parametrize("kind", PERIODIC)
@pytest.mark.parametrize("form", ["nonlinear", "band", "linear"])
def test_forces_and_strain_against_differences(kind, form):
    model = random_model(FORMS[form])
    given = structure(skew(kind))
    rng = np.random.default_rng(0)
    moves, strain = rng.normal(size=given.positions.shape), rng.normal(size=(3, 3))
    _, prediction, record = predicted(model, given)
    state = cell_state(prediction.hamiltonian, mesh(COUNTS[kind]), KT)
    gradient, strain_bar = energy_gradient(model, prediction, record, state)

    def energy(t, u):
        return stateof(model, strained(given, u * strain, t * moves), COUNTS[kind], KT)[1]

    def slope(function, h):
        near, far = function(h) - function(-h), function(2.0 * h) - function(-2.0 * h)
        return (8.0 * near - far) / (12.0 * h)

    walked = np.sum(gradient * moves), np.sum(strain_bar * strain)
    found = slope(lambda t: energy(t, 0.0), 3e-4), slope(lambda u: energy(0.0, u), 2e-4)
    np.testing.assert_allclose(walked, found, rtol=1e-6)
    np.testing.assert_allclose(strain_bar, strain_bar.T, rtol=0.0, atol=1e-10)


def test_the_dirac_point_of_graphene(model):
    _, prediction, _ = predicted(model, structure(sheet()))
    bloch = BlochOperator.of(prediction.hamiltonian)
    energies, orbitals = diagonalise(bloch, np.array([[1 / 3, 1 / 3, 0.0]]))
    pi = np.abs(orbitals[0][[2, 6]]) ** 2  # p_z of both atoms
    levels = energies[0][pi.sum(axis=0) > 0.9]
    assert levels.size == 2
    assert np.ptp(levels) * HARTREE_EV < 1e-9


@pytest.mark.parametrize("kind", PERIODIC)
def test_a_molecule_in_a_large_cell_is_the_molecule(model, kind):
    """Its levels move together by the mean potential of its charges alone, in a crystal."""
    given = structure(skew(kind))
    alone = Structure(given.numbers, given.positions)
    size = 40.0 / 0.529177
    cell = type(given.cell)(size * np.eye(3), given.cell.periodic)
    state, energy = stateof(model, Structure(given.numbers, given.positions, cell=cell))
    _, prediction, _ = predicted(model, alone)
    ground = ground_state(model, prediction, 0)
    assert abs(energy - ground.energy) * HARTREE_EV < 1e-6
    moved = state.filling.energies[0] - ground.state.energies
    # a dipole in its own reaction field and the quadrupole's mean potential: both of order 1 / V
    assert np.ptp(moved) * HARTREE_EV < 2e-3
    np.testing.assert_allclose(state.charges, ground.charges, atol=1e-4)


def test_bond_orders_charges_and_states_of_cells_and_supercells(model):
    atoms = skew("layer")
    small, _ = stateof(model, structure(atoms), (2, 2, 1))
    large, _ = stateof(model, structure(atoms.repeat((2, 2, 1))))
    bonds, many = bond_orders(small), bond_orders(large)
    assert bonds.order.max() > 0.5
    np.testing.assert_allclose(
        np.sort(np.tile(bonds.order, 4))[::-1][:40], np.sort(many.order)[::-1][:40], atol=1e-10
    )
    grid = np.linspace(-2.0, 2.0, 4001)
    states = [density_of_states(state, grid, 0.02) for state in (small, large)]
    np.testing.assert_allclose(4.0 * states[0].total, states[1].total, atol=1e-9)
    assert np.trapezoid(states[0].total, grid) == pytest.approx(2.0 * small.hamiltonian.n_orbital)
    np.testing.assert_allclose(sum(states[0].parts.values()), states[0].total)


def test_masses_are_curvatures(model):
    given = structure(polyethylene())
    state, _ = stateof(model, given, (1, 1, 4))
    bloch, length = state.hamiltonian, given.cell.vectors[2, 2]
    for point in (np.zeros(3), np.array([0.0, 0.0, 0.5])):
        energies = np.linalg.eigvalsh(bloch.at(point))
        single = np.flatnonzero(np.diff(energies, prepend=-9, append=9)[1:] > 1e-3)
        for band in single[:4].tolist():
            found = curvatures(bloch, point, band, np.array([0.0, 0.0, 1.0]))
            h = 2e-3
            step = np.array([0.0, 0.0, h * length / (2 * np.pi)])
            around = [np.linalg.eigvalsh(bloch.at(point + s * step))[band] for s in (-1, 0, 1)]
            if found.size == 1:
                assert found[0] == pytest.approx(
                    (around[0] - 2 * around[1] + around[2]) / h**2, rel=1e-2, abs=1e-3
                )


def test_metals_share_electrons_and_say_so(model):
    state, _ = stateof(random_model(SMALL, seed=3), structure(sheet()), (3, 3, 1))
    filling = state.filling
    total = filling.weights @ filling.occupations.sum(axis=1)
    assert total == pytest.approx(filling.n_electron, abs=1e-10)
    smeared, _ = stateof(model, structure(sheet()), (3, 3, 1), KT)
    total = smeared.filling.weights @ smeared.filling.occupations.sum(axis=1)
    assert total == pytest.approx(filling.n_electron, abs=1e-10)
    assert smeared.filling.entropy > 0.0
