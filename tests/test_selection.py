"""Selected configurations: error within what is stated, exact in the limit."""

import numpy as np
import pytest
from huckel import distorted, named
from test_excitations import MULTIPLICITIES, davidson_only

from mlsemi import selection
from mlsemi.errors import InputError
from mlsemi.excitations import excite_with
from mlsemi.response_method import Method


@pytest.fixture
def few(monkeypatch):
    """Begin with few configurations, although the molecules are small."""
    monkeypatch.setattr(selection, "FIRST", 2)
    monkeypatch.setattr(selection, "FIRST_MINIMUM", 6)


@pytest.mark.parametrize("multiplicity", MULTIPLICITIES)
def test_error_is_within_what_is_stated(few, multiplicity):
    molecule = distorted("C5H5N")
    between = molecule.interaction()
    exact = excite_with(molecule.state, between, 8, multiplicity).energies
    worst = np.inf
    for threshold in (1e-3, 3e-4, 1.5e-4) if multiplicity == "triplet" else (2e-2, 3e-3, 1e-3):
        found = excite_with(
            molecule.state, between, 8, multiplicity, method=Method(selection=threshold)
        )
        error = np.abs(found.energies - exact)
        assert (error < found.selection_errors).all()
        assert found.selection_errors.max() < min(worst, threshold)
        worst = found.selection_errors.max()
        left_out = (np.abs(found.amplitudes) == 0.0).all(axis=0).mean()
        assert left_out > 0.05
    nothing = excite_with(molecule.state, between, 8, multiplicity, method=Method(selection=1e-30))
    np.testing.assert_allclose(nothing.energies, exact, atol=1e-9)


def test_products_or_matrix(few, monkeypatch):
    molecule = distorted("C5H5N")
    between, method = molecule.interaction(), Method(selection=1e-4)
    stored = excite_with(molecule.state, between, 6, method=method)
    davidson_only(monkeypatch)
    monkeypatch.setattr(selection, "STORED", 0)
    product = excite_with(molecule.state, between, 6, method=method)
    np.testing.assert_allclose(product.energies, stored.energies, atol=2e-6)


def test_degenerate_states_stay_degenerate(few):
    benzene = named("C6H6")
    exact = excite_with(benzene.state, benzene.interaction(), 8).energies
    found = excite_with(
        benzene.state, benzene.interaction(), 8, method=Method(selection=1e-4)
    ).energies
    pairs = np.flatnonzero(np.diff(exact) < 1e-8)
    assert pairs.size
    assert np.diff(found)[pairs].max() < 1e-6


def test_threshold_must_be_positive():
    with pytest.raises(InputError, match="positive"):
        Method(selection=0.0)
