"""Large molecules: within 1e-3 eV of the dense matrix, nothing missing, exact if asked."""

import numpy as np
import pytest
from huckel import distorted, huckel, named
from test_completeness import SYSTEMS
from test_davidson import Blocks
from test_excitations import MULTIPLICITIES, davidson_only

from mlsemi.calculators.surface import excited_surface
from mlsemi.errors import ConvergenceError, InputError
from mlsemi.excited import davidson, method, second_order, tamm_dancoff
from mlsemi.excited.excitations import excite
from mlsemi.excited.method import EXACT, Method
from mlsemi.excited.second_order import corrected_eigenpairs
from mlsemi.excited.tamm_dancoff import SinglePrecision, TammDancoff
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.units import HARTREE_EV

PROMISED = 1e-3 / HARTREE_EV


@pytest.fixture
def large(monkeypatch):
    """Every molecule counts as large, and its model space is far from the whole matrix."""
    davidson_only(monkeypatch)
    monkeypatch.setattr(method, "LARGE", 0)
    monkeypatch.setattr(second_order, "MODEL_SIZE", 2)
    monkeypatch.setattr(second_order, "MODEL_MINIMUM", 10)


@pytest.mark.parametrize("multiplicity", MULTIPLICITIES)
def test_energies_and_vectors_against_the_dense_matrix(multiplicity, request):
    pyridine = distorted("C5H5N")
    between = pyridine.interaction()
    dense = excite(pyridine.state, between, 400, multiplicity)
    request.getfixturevalue("large")
    for k in (1, 4, 12):
        found = excite(pyridine.state, between, k, multiplicity)
        error = np.abs(found.energies - dense.energies[:k]).max()
        assert 1e-9 < error < PROMISED
        flat = found.amplitudes.reshape(k, -1)
        np.testing.assert_allclose(flat @ flat.T, np.eye(k), atol=1e-5)
        overlap = np.einsum("kia,kia->k", found.amplitudes, dense.amplitudes[:k])
        assert overlap.min() > 0.995
        exact = excite(pyridine.state, between, k, multiplicity, method=EXACT)
        np.testing.assert_allclose(exact.energies, dense.energies[:k], atol=1e-8)


@pytest.mark.parametrize("name", SYSTEMS)
def test_no_root_is_missing(name, large, monkeypatch):
    """Stacks, rows and copies, whose levels lie closer than what is promised."""
    system = huckel(Structure.from_ase(SYSTEMS[name]))
    between = system.interaction()
    for multiplicity in MULTIPLICITIES:
        every = excite(system.state, between, 40, multiplicity, method=EXACT).energies
        for k in (1, 2, 3, 5, 8, 13, 20, 24):
            found = excite(system.state, between, k, multiplicity).energies
            assert np.abs(found - every[:k]).max() < PROMISED, (multiplicity, k)


def test_degenerate_states_stay_together(large):
    benzene = named("C6H6")
    exact = excite(benzene.state, benzene.interaction(), 12, method=EXACT).energies
    found = excite(benzene.state, benzene.interaction(), 12).energies
    pairs = np.flatnonzero(np.diff(exact) < 1e-8)
    assert pairs.size
    assert np.diff(found)[pairs].max() < 2e-6


def of_blocks(blocks, start, n_root):
    start = start.astype(np.float32)
    return corrected_eigenpairs(
        blocks.apply, blocks, start, blocks.apply(start), n_root, n_root + 4
    )


@pytest.mark.parametrize("apart", [0.0, 1e-5, 1e-3])
def test_blocks_that_the_start_does_not_touch(apart):
    n = 60
    blocks = Blocks(n, 5, apart)
    exact = np.linalg.eigvalsh(blocks.matrix)
    for n_root in (1, 3, 8, 15):
        energies, vectors = of_blocks(blocks, blocks.start(n, n_root + 6), n_root)
        np.testing.assert_allclose(energies, exact[:n_root], atol=PROMISED)
        np.testing.assert_allclose(vectors @ vectors.T, np.eye(n_root), atol=1e-5)
        again = of_blocks(blocks, blocks.start(n, n_root + 6), n_root)
        assert np.array_equal(again[1], vectors)


def test_it_restarts_when_its_memory_is_full(monkeypatch):
    blocks = Blocks(200, 1)
    exact = np.linalg.eigvalsh(blocks.matrix)
    monkeypatch.setattr(second_order, "MEMORY", 0)
    monkeypatch.setattr(second_order, "ALLOWED", 1e-6)
    energies, _ = of_blocks(blocks, blocks.start(200, 16), 10)
    np.testing.assert_allclose(energies, exact[:10], atol=PROMISED)


def test_what_does_not_end_is_an_error(monkeypatch):
    blocks = Blocks(60, 7)
    monkeypatch.setattr(second_order, "ATTEMPTS", 1)
    with pytest.raises(ConvergenceError, match="lowest 3 excited states did not converge"):
        of_blocks(blocks, blocks.start(60, 9), 3)


def test_products_with_vectors_of_few_configurations(monkeypatch):
    formaldehyde = distorted("H2CO")
    problem = TammDancoff(formaldehyde.state, formaldehyde.interaction(), 2.0)
    half, rng = SinglePrecision(problem), np.random.default_rng(3)
    chosen = np.flatnonzero(rng.random(problem.n_configuration) < 0.4)
    vectors = np.zeros((3, problem.n_configuration), np.float32)
    vectors[:, chosen] = rng.normal(size=(3, chosen.size))
    image = half.among(chosen, vectors)
    np.testing.assert_allclose(image, half.apply(vectors), atol=2e-6)
    np.testing.assert_allclose(image, problem.apply(vectors.astype(float)), atol=2e-6)


def test_surfaces_are_exact(monkeypatch):
    """Their gradients take converged vectors for granted."""
    structure, parameters = Structure.from_ase(SYSTEMS["alone"]), Parameters.load("organic-1")
    monkeypatch.setattr(tamm_dancoff, "DENSE_LIMIT", 0)
    before = excited_surface(structure, parameters, 2)
    monkeypatch.setattr(method, "LARGE", 0)
    after = excited_surface(structure, parameters, 2)
    assert after.energy == before.energy
    assert np.array_equal(after.forces, before.forces)


def test_which_molecules_are_large(monkeypatch):
    pyridine = distorted("C5H5N")
    problem = TammDancoff(pyridine.state, pyridine.interaction(), 2.0)
    assert Method().solver(problem) == problem.solve
    monkeypatch.setattr(method, "LARGE", problem.n_configuration - 1)
    assert Method().solver(problem) != problem.solve
    assert EXACT.solver(problem) == problem.solve
    with pytest.raises(InputError, match="selected configurations are not exact"):
        Method(selection=1e-3, exact=True)
    assert davidson.ATTEMPTS > 2
