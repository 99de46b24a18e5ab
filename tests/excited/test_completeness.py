"""No state is missing: every door against the dense matrix, for symmetric molecules and copies."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from huckel import huckel
from test_excitations import MULTIPLICITIES, davidson_only

import mlsemi
from mlsemi.calculators.surface import excited_surface
from mlsemi.errors import ConvergenceError
from mlsemi.excited import completeness, paired_davidson, selected_configurations, tamm_dancoff
from mlsemi.excited.completeness import missed
from mlsemi.excited.excitations import excite
from mlsemi.excited.method import TDA, Method
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.units import HARTREE_EV

FULL, SELECTED = Method(full=True), Method(selection=1e-4)


def copies(name, n, step, turn=0.0, rattle=0.0):
    """So many of a molecule, each ``step`` (angstrom) further, turned and rattled."""
    one = molecule(name)
    one.positions -= one.positions.mean(axis=0)
    out = Atoms()
    for k in range(n):
        other = one.copy()
        other.rotate(k * turn, (0.3, 0.5, 0.8))
        other.translate(k * np.asarray(step))
        out += other
    if rattle:
        out.rattle(rattle, seed=3)
    return out


STACK, ROW = (0.0, 0.0, 6.0), (10.0, 0.0, 0.0)
SYSTEMS = {
    "stack": copies("C2H4", 4, STACK),
    "far stack": copies("C2H4", 4, (0.0, 0.0, 40.0)),
    "row": copies("H2CO", 4, (0.0, 5.0, 0.0)),
    "turned": copies("C2H4", 4, (0.0, 4.0, 7.0), turn=50.0),
    "rattled": copies("H2CO", 4, STACK, rattle=1e-3),
    "alone": molecule("C6H6"),
}


@pytest.fixture(params=SYSTEMS)
def system(request):
    return huckel(Structure.from_ase(SYSTEMS[request.param]))


@pytest.fixture
def iterative(monkeypatch):
    """Neither the dense matrix nor a model space that nearly is it."""

    def switch(on):
        if on:
            davidson_only(monkeypatch)
            monkeypatch.setattr(tamm_dancoff, "MODEL_SIZE", 2)
            monkeypatch.setattr(selected_configurations, "STORED", 60)
            monkeypatch.setattr(selected_configurations, "FIRST_MINIMUM", 60)
        else:
            monkeypatch.undo()

    return switch


@pytest.mark.parametrize("multiplicity", MULTIPLICITIES)
def test_the_lowest_roots_by_number_and_by_energy(system, iterative, multiplicity):
    between = system.interaction()
    every = excite(system.state, between, 200, multiplicity).energies
    iterative(True)
    for k in range(1, 25):
        found = excite(system.state, between, k, multiplicity)
        np.testing.assert_allclose(found.energies, every[:k], atol=2e-7, err_msg=str(k))
    for k in np.flatnonzero(np.diff(every[:25]) > 1e-5)[::3]:
        bound = 0.5 * (every[k] + every[k + 1])
        found = excite(system.state, between, None, multiplicity, max_energy=bound)
        np.testing.assert_allclose(found.energies, every[: k + 1], atol=2e-7)


@pytest.mark.parametrize("multiplicity", MULTIPLICITIES)
def test_the_lowest_roots_of_the_full_response(system, iterative, multiplicity):
    between = system.interaction()
    every = excite(system.state, between, 40, multiplicity, method=FULL).energies
    iterative(True)
    for k in (1, 2, 3, 5, 8, 12, 17, 24):
        found = excite(system.state, between, k, multiplicity, method=FULL)
        np.testing.assert_allclose(found.energies, every[:k], atol=2e-7, err_msg=str(k))


@pytest.mark.parametrize("multiplicity", MULTIPLICITIES)
def test_the_lowest_roots_of_selected_configurations(system, iterative, multiplicity):
    between = system.interaction()
    every = excite(system.state, between, 40, multiplicity).energies
    iterative(True)
    for k in (1, 3, 8, 12, 24):
        found = excite(system.state, between, k, multiplicity, method=SELECTED)
        error = np.abs(found.energies - every[:k]).max()
        assert error < found.selection_errors.max() + 5e-6, k


SANDWICH = copies("C6H6", 2, STACK)
BRIGHT = [7.546, 7.546, 7.673, 7.673]


def test_bright_states_of_a_benzene_sandwich():
    """S5 to S8 carry all of the absorption; they are the model space's vectors 24 to 27."""
    for request in ({"singlets": 20}, {"singlets": 8}, {"max_energy": 7.8 / HARTREE_EV}):
        states = mlsemi.singlepoint(SANDWICH, **request).singlets
        np.testing.assert_allclose(states.energies[4:8] * HARTREE_EV, BRIGHT, atol=6e-4)
        assert states.oscillator_strengths[4:8].sum() == pytest.approx(3.13, abs=0.01)
    for k in (5, 8):
        point = excited_surface(
            Structure.from_ase(SANDWICH), Parameters.load("organic-1"), k, forces=False
        )
        assert point.excitation_energy * HARTREE_EV == pytest.approx(BRIGHT[k - 5], abs=6e-4)


@pytest.mark.parametrize(
    ("atoms", "number", "method", "triplets"),
    [
        (SANDWICH, 5, FULL, False),
        (SANDWICH, 20, FULL, False),
        (SANDWICH, 8, SELECTED, False),
        (SANDWICH, 20, SELECTED, False),
        (SANDWICH, 20, TDA, True),
        (copies("C6H6", 2, ROW), 12, TDA, False),
        (copies("butadiene", 3, STACK), 20, TDA, False),
    ],
)
def test_what_was_missing_with_the_released_weights(atoms, number, method, triplets, iterative):
    """The same number from the dense matrix, which more than a fifth of all roots ask for."""
    name = "triplets" if triplets else "singlets"

    def energies(**request):
        return getattr(mlsemi.singlepoint(atoms, **request), name).energies

    found = energies(**{name: number}, method=method)
    dense = energies(**{name: 900}, method=FULL if method is FULL else TDA)[:number]
    allowed = 1e-5 if method is SELECTED else 2e-7
    np.testing.assert_allclose(found, dense, atol=allowed)
    if method is FULL and number == 5:
        assert found[4] * HARTREE_EV == pytest.approx(7.106, abs=6e-4)


def definite(n, negative, seed=0):
    """A symmetric matrix with so many negative eigenvalues, and the check of it."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([np.full(negative, -1e-4), rng.uniform(0.01, 2.0, n - negative)])
    turn = np.linalg.qr(rng.normal(size=(n, n)))[0]
    matrix = turn * values @ turn.T
    every = (lambda x: x @ matrix, lambda x: x, lambda x: x, lambda x: x)
    return matrix, lambda attempt: missed(*every, n, np.dtype(float), attempt)


def test_directions_have_negative_curvature():
    matrix, check = definite(80, 0)
    assert len(check(0)) == 0
    matrix, check = definite(80, 3)
    for attempt, most in ((0, 4), (1, 7)):
        found = check(attempt)
        assert 1 < len(found) <= most
        assert (np.einsum("kn,nm,km->k", found, matrix, found) < 0.0).all()
        assert np.array_equal(found, check(attempt))


def test_an_undecided_check_is_an_error(monkeypatch):
    monkeypatch.setattr(completeness, "MOST", 3)
    _, check = definite(80, 0)
    with pytest.raises(ConvergenceError, match="cannot tell whether an excited state is missing"):
        check(0)


def test_pairs_that_stay_missing_are_an_error(monkeypatch, iterative):
    monkeypatch.setattr(paired_davidson, "ATTEMPTS", 1)
    with pytest.raises(ConvergenceError, match="are still missing"):
        mlsemi.singlepoint(SANDWICH, singlets=5, method=FULL)


def test_an_instability_that_the_start_does_not_touch_is_found(iterative):
    """One of far molecules has a ground state that is unstable; the others are at rest."""
    twisted = molecule("C2H4")
    twisted.set_dihedral(2, 0, 1, 4, 90.0, indices=[4, 5])
    twisted.translate((30.0, 0.0, 0.0))
    atoms = copies("H2CO", 2, (0.0, 20.0, 0.0)) + twisted
    pair = huckel(Structure.from_ase(atoms))
    iterative(True)
    with pytest.raises(ConvergenceError, match="unstable"):
        excite(pair.state, pair.interaction(), 1, "triplet", method=FULL)
