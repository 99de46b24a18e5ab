"""Selected configurations: error within what is stated, exact in the limit."""

import numpy as np
import pytest
from ase.build import molecule
from huckel import distorted, huckel, named
from test_excitations import FULL, MULTIPLICITIES, davidson_only

from mlsemi.errors import InputError
from mlsemi.excited import selected_configurations
from mlsemi.excited.excitations import excite
from mlsemi.excited.interaction import respond
from mlsemi.excited.method import Method
from mlsemi.excited.selected_configurations import in_principal_axes
from mlsemi.molecule.structure import Structure


@pytest.fixture
def few(monkeypatch):
    """Begin with few configurations, although the molecules are small."""
    monkeypatch.setattr(selected_configurations, "FIRST", 2)
    monkeypatch.setattr(selected_configurations, "FIRST_MINIMUM", 6)


@pytest.mark.parametrize("multiplicity", MULTIPLICITIES)
def test_error_is_within_what_is_stated(few, multiplicity):
    molecule = distorted("C5H5N")
    between = molecule.interaction()
    exact = excite(molecule.state, between, 8, multiplicity).energies
    worst = np.inf
    for threshold in (1e-3, 3e-4, 1.5e-4) if multiplicity == "triplet" else (2e-2, 3e-3, 1e-3):
        found = excite(molecule.state, between, 8, multiplicity, method=Method(selection=threshold))
        error = np.abs(found.energies - exact)
        assert (error < found.selection_errors).all()
        assert found.selection_errors.max() < min(worst, threshold)
        worst = found.selection_errors.max()
        left_out = (np.abs(found.amplitudes) == 0.0).all(axis=0).mean()
        assert left_out > 0.05
    nothing = excite(molecule.state, between, 8, multiplicity, method=Method(selection=1e-30))
    np.testing.assert_allclose(nothing.energies, exact, atol=1e-9)


def test_products_or_matrix(few, monkeypatch):
    molecule = distorted("C5H5N")
    between, method = molecule.interaction(), Method(selection=1e-4)
    stored = excite(molecule.state, between, 6, method=method)
    davidson_only(monkeypatch)
    monkeypatch.setattr(selected_configurations, "STORED", 0)
    product = excite(molecule.state, between, 6, method=method)
    np.testing.assert_allclose(product.energies, stored.energies, atol=2e-6)


def test_degenerate_states_stay_degenerate(few):
    benzene = named("C6H6")
    exact = excite(benzene.state, benzene.interaction(), 8).energies
    found = excite(benzene.state, benzene.interaction(), 8, method=Method(selection=1e-4)).energies
    pairs = np.flatnonzero(np.diff(exact) < 1e-8)
    assert pairs.size
    assert np.diff(found)[pairs].max() < 1e-6


def test_flat_molecules_need_few_functions_however_they_lie(few):
    flat, tilted = (huckel(Structure.from_ase(atoms)) for atoms in lying_and_tilted("C6H6"))
    found = []
    for benzene in (flat, tilted):
        between, n = benzene.interaction(), benzene.state.n_occupied
        lumo = in_principal_axes(between, benzene.state.orbitals[:, n : n + 2])
        assert (np.abs(lumo).max(axis=1) > 1e-8).sum() == 6
        found.append(excite(benzene.state, between, 8, method=Method(selection=1e-2)))
    np.testing.assert_allclose(found[0].energies, found[1].energies, atol=1e-6)


def lying_and_tilted(name):
    atoms = molecule(name)
    other = atoms.copy()
    other.rotate(37.0, (0.2, -0.5, 1.0))
    return atoms, other


@pytest.mark.parametrize("factor", [0.0, 2.0])
def test_products_of_a_few_orbitals_onto_others(factor):
    """Columns of the whole matrix; functions on which the few orbitals vanish may be left out."""
    formaldehyde = named("H2CO")
    between, state = formaldehyde.interaction(FULL), formaldehyde.state
    occ = np.ascontiguousarray(state.orbitals[:, : state.n_occupied])
    vir = np.ascontiguousarray(state.orbitals[:, state.n_occupied :])
    few, lowest, rng = occ[:, 2:].copy(), vir[:, :1].copy(), np.random.default_rng(3)
    present = [np.flatnonzero(np.abs(c).max(axis=1) > 1e-8) for c in (few, lowest)]
    assert present[1].size < len(occ)
    X = rng.normal(size=(3, few.shape[1], 1))
    part = respond(between, few, lowest, X, factor, (occ, vir), tuple(present))
    whole = np.zeros((3, occ.shape[1], vir.shape[1]))
    whole[:, 2:, :1] = X
    np.testing.assert_allclose(part, respond(between, occ, vir, whole, factor), atol=1e-12)


def test_amplitudes_are_those_of_the_window(few):
    molecule = distorted("C5H5N")
    method = Method(selection=3e-3)
    found = excite(molecule.state, molecule.interaction(), 4, method=method)
    left, X, right = found.between(molecule.state.orbitals)
    n = molecule.state.n_occupied
    occ, vir = molecule.state.orbitals[:, :n], molecule.state.orbitals[:, n:]
    assert X.size < found.amplitudes.size
    np.testing.assert_allclose(left @ X @ right.T, occ @ found.amplitudes @ vir.T, atol=1e-12)


def test_threshold_must_be_positive():
    with pytest.raises(InputError, match="positive"):
        Method(selection=0.0)
