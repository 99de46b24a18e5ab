"""Full linear response against the block matrix written out, and its iteration against that."""

import itertools

import numpy as np
import pytest
from ase.build import molecule
from huckel import distorted, huckel, named
from test_excitations import CORRECTED, MULTIPLICITIES, davidson_only, four_index, naive_matrix

from mlsemi.errors import ConvergenceError, InputError
from mlsemi.excited.constants import ExcitationParameters
from mlsemi.excited.excitations import excite, excite_adjoint
from mlsemi.excited.intensities import intensities
from mlsemi.excited.method import Method
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.units import HARTREE_EV

FULL = Method(full=True)
PLAIN = ExcitationParameters(ax_one_center=0.6)
"""Without a correction of the Fock matrix, which has its own test."""


def naive_swapped(state, between, multiplicity):
    """B_(ia,jb) = s_K (ia|bj) - (ib|aj) with every loop written out."""
    C, n, scalars = state.orbitals, state.n_occupied, between.scalars
    exchange = four_index(between, between.gamma_k, 1.0)
    swapped = four_index(between, scalars.ax * between.gamma_k, scalars.ax_one_center)
    K = np.einsum("mnls,mi,na,lj,sb->iajb", exchange, C[:, :n], C[:, n:], C[:, :n], C[:, n:])
    L = np.einsum("mnls,mi,nb,la,sj->ibaj", swapped, C[:, :n], C[:, n:], C[:, n:], C[:, :n])
    pairs = list(itertools.product(range(n), range(C.shape[0] - n)))
    B = np.empty((len(pairs), len(pairs)))
    for (k, (i, a)), (l, (j, b)) in itertools.product(enumerate(pairs), repeat=2):
        B[k, l] = (2.0 if multiplicity == "singlet" else 0.0) * K[i, a, j, b] - L[i, b, a, j]
    return B


@pytest.mark.parametrize("multiplicity", MULTIPLICITIES)
def test_energies_are_those_of_the_block_matrix(multiplicity):
    molecule = distorted("H2CO")
    between = molecule.interaction(PLAIN)
    A = naive_matrix(molecule.state, between, multiplicity)
    B = naive_swapped(molecule.state, between, multiplicity)
    every = np.linalg.eigvals(np.block([[A, B], [-B, -A]]))
    assert np.abs(every.imag).max() < 1e-12
    expected = np.sort(every.real[every.real > 0.0])
    found = excite(molecule.state, between, len(A), multiplicity, method=FULL)
    np.testing.assert_allclose(found.energies, expected, atol=1e-10)
    X, Y = found.amplitudes, found.deexcitations
    np.testing.assert_allclose((X**2 - Y**2).sum(axis=(1, 2)), 1.0, atol=1e-10)
    flat, back = X.reshape(len(A), -1), Y.reshape(len(A), -1)
    np.testing.assert_allclose(flat @ A + back @ B, expected[:, None] * flat, atol=1e-9)
    tda = excite(molecule.state, between, len(A), multiplicity)
    assert (found.energies < tda.energies + 1e-12).all()
    assert tda.energies[0] - found.energies[0] > 1e-5
    weights = found.contributions(0, threshold=-1.0)
    assert sum(weight for _, _, weight in weights) == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("multiplicity", MULTIPLICITIES)
def test_iteration_finds_the_dense_roots(monkeypatch, multiplicity):
    molecule = distorted("C5H5N")
    between = molecule.interaction(CORRECTED)
    dense = excite(molecule.state, between, 20, multiplicity, method=FULL)
    davidson_only(monkeypatch)
    for n in (1, 7, 20):
        found = excite(molecule.state, between, n, multiplicity, method=FULL)
        assert np.abs(found.energies - dense.energies[:n]).max() * HARTREE_EV < 1e-6
        overlap = np.einsum("kia,kia->k", found.amplitudes, dense.amplitudes[:n])
        overlap -= np.einsum("kia,kia->k", found.deexcitations, dense.deexcitations[:n])
        np.testing.assert_allclose(overlap, 1.0, atol=1e-5)
    bound = 0.5 * (dense.energies[9] + dense.energies[10])
    below = excite(molecule.state, between, None, multiplicity, max_energy=bound, method=FULL)
    assert below.n_state == 10


def test_degenerate_roots_of_benzene(monkeypatch):
    benzene = named("C6H6")
    between = benzene.interaction()
    dense = excite(benzene.state, between, 12, method=FULL).energies
    davidson_only(monkeypatch)
    found = excite(benzene.state, between, 12, method=FULL).energies
    np.testing.assert_allclose(found, dense, atol=1e-8)
    assert (np.diff(found) < 1e-8).any()


def test_moments_take_x_plus_y_or_x_minus_y():
    molecule = distorted("H2CO")
    states = excite(molecule.state, molecule.interaction(PLAIN), 6, method=FULL)
    operators = molecule.operators()
    found = intensities(states, molecule.state.orbitals, *operators)
    n, C = molecule.state.n_occupied, molecule.state.orbitals
    r, p = (
        np.sqrt(2) * np.einsum("kia,mi,xmn,na->kx", vectors, C[:, :n], operator, C[:, n:])
        for vectors, operator in (
            (states.amplitudes + states.deexcitations, operators[0]),
            (states.amplitudes - states.deexcitations, operators[1]),
        )
    )
    np.testing.assert_allclose(found.transition_dipoles, r, atol=1e-12)
    f = 2 / 3 * (p**2).sum(axis=1) / states.energies
    np.testing.assert_allclose(found.velocity_strengths, f, atol=1e-12)


def test_refusals():
    molecule = distorted("H2CO")
    between, state = molecule.interaction(), molecule.state
    states = excite(state, between, 2, method=FULL)
    with pytest.raises(InputError, match="Tamm-Dancoff"):
        excite_adjoint(states, state, between, np.ones(2))
    closed = ElectronicState(0.05 * state.energies, state.orbitals, state.n_occupied)
    with pytest.raises(ConvergenceError, match="unstable"):
        excite(closed, between, 2, "triplet", method=FULL)
    with pytest.raises(InputError, match="Tamm-Dancoff approximation only"):
        Method(full=True, selection=1e-5)
    assert excite(state, between, 0, method=FULL).n_state == 0


@pytest.mark.parametrize("multiplicity", MULTIPLICITIES)
@pytest.mark.parametrize("iterative", [False, True])
def test_refused_where_the_dense_matrices_are_not_positive(monkeypatch, multiplicity, iterative):
    """Ethene on the way to 90 degrees, where its closed shell is no minimum any more."""
    refused = []
    for angle in (0.0, 30.0, 60.0, 75.0, 85.0, 90.0):
        atoms = molecule("C2H4")
        atoms.set_dihedral(2, 0, 1, 4, angle, indices=[4, 5])
        m = huckel(Structure.from_ase(atoms))
        between = m.interaction(PLAIN)
        A = naive_matrix(m.state, between, multiplicity)
        B = naive_swapped(m.state, between, multiplicity)
        lowest = min(np.linalg.eigvalsh(side)[0] for side in (A + B, A - B))
        if iterative:
            davidson_only(monkeypatch)
        try:
            excite(m.state, between, 3, multiplicity, method=FULL)
            refused.append(False)
        except ConvergenceError as error:
            refused.append("unstable" in str(error))
        assert refused[-1] == (lowest < 0.0), angle
    assert not refused[0]
    if multiplicity == "triplet":
        assert refused[-1]
