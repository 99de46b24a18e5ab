"""Transfer integrals between molecules."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from crystals import polyethylene, structure
from molecules import parameters_of, random_model
from scipy.linalg import eigh

from mlsemi.errors import InputError
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.periodic.couplings import couplings_of
from mlsemi.periodic.fragments import fragments_of
from mlsemi.units import HARTREE_EV


@pytest.fixture(scope="module")
def parameters():
    return parameters_of(random_model(seed=2))


def dimer():
    first, second = molecule("HCOOH"), molecule("H2O")
    first.rattle(0.05, seed=1)
    second.rattle(0.05, seed=2)
    second.positions += [0.3, 0.4, 3.0]
    return first + second


def crystal():
    """Both molecules in a cell; wrapped, its faces cut them."""
    atoms = dimer()
    atoms.set_cell([[5.2, 0.3, 0.2], [0.1, 5.4, 0.4], [0.3, 0.2, 6.0]])
    atoms.pbc = True
    return atoms


def test_a_dimer_by_hand(parameters):
    given = structure(dimer())
    found = couplings_of(given, parameters)
    model = parameters.model
    pairs = PairList.of([given], model.form.elements, model.form.cutoff)
    H = model.predict(pairs)[0].hamiltonian.matrix(0)
    n = structure(molecule("HCOOH")).n_orbital
    a, A = eigh(H[:n, :n])
    b, B = eigh(H[n:, n:])
    t = A.T @ H[:n, n:] @ B
    assert abs(found.homo[0]) == pytest.approx(abs(t[8, 3]) * HARTREE_EV, abs=1e-10)
    assert abs(found.lumo[0]) == pytest.approx(abs(t[9, 4]) * HARTREE_EV, abs=1e-10)
    expected = np.array([[a[8], a[9]], [b[3], b[4]]]) * HARTREE_EV
    np.testing.assert_allclose(found.site_energies, expected, atol=1e-10)
    assert np.abs(found.homo[0]) > 1e-4
    assert [fragment.formula for fragment in found.fragments] == ["CH2O2", "H2O"]


def test_molecules_are_made_whole(parameters):
    atoms = crystal()
    wrapped = atoms.copy()
    wrapped.wrap()
    assert np.ptp(wrapped.positions - atoms.positions, axis=0).max() > 3.0
    for given in (atoms, wrapped):
        whole = fragments_of(structure(given))
        sizes = [np.ptp(fragment.positions, axis=0).max() for fragment in whole]
        expected = [
            np.ptp(structure(part).positions, axis=0).max() for part in (dimer()[:5], dimer()[5:])
        ]
        np.testing.assert_allclose(sizes, expected, atol=1e-9)
    found = [couplings_of(structure(given), parameters) for given in (atoms, wrapped)]
    strengths = [np.sort(np.abs(each.homo)) for each in found]
    np.testing.assert_allclose(strengths[0], strengths[1], atol=1e-10)


def test_supercells_have_every_coupling_of_the_cell(parameters):
    small = couplings_of(structure(crystal()), parameters)
    large = couplings_of(structure(crystal().repeat((2, 1, 1))), parameters)
    assert len(large.fragments) == 4
    assert len(large.pairs) == 2 * len(small.pairs)
    np.testing.assert_allclose(
        np.sort(np.abs(large.homo)), np.sort(np.repeat(np.abs(small.homo), 2)), atol=1e-10
    )
    np.testing.assert_allclose(large.site_energies, np.tile(small.site_energies, (2, 1)))


def test_far_molecules_are_not_coupled_and_degenerate_ones_said(parameters):
    apart = molecule("C6H6") + molecule("H2O")
    apart.positions[12:, 2] += 30.0
    assert couplings_of(structure(apart), parameters).pairs == []
    stack = molecule("C6H6") + molecule("C6H6")
    stack.positions[12:, 2] += 3.2
    turned = stack.copy()
    turned.rotate(31.0, (0.3, 1.0, 0.2))
    found = [couplings_of(structure(each), parameters) for each in (stack, turned)]
    np.testing.assert_allclose(np.abs(found[0].homo), np.abs(found[1].homo), atol=1e-8)


@pytest.mark.parametrize(
    ("atoms", "words"),
    [
        (molecule("H2O"), "here is only one"),
        (polyethylene(), "bonded to its own images"),
        (bulk("C"), "bonded to its own images"),
        (molecule("CH3") + Atoms("H", [[0, 0, 9]]), "odd number of electrons"),
    ],
)
def test_refusals(parameters, atoms, words):
    with pytest.raises(InputError, match=words):
        couplings_of(structure(atoms), parameters)
    ion = Structure([1, 1], [[0, 0, 0], [0, 0, 9]], charge=1, multiplicity=2)
    with pytest.raises(InputError, match="charge 0, multiplicity 1"):
        couplings_of(ion, parameters)
