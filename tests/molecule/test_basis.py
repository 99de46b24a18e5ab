from math import factorial

import numpy as np
import pytest
from scipy.integrate import quad

from mlsemi.errors import InputError
from mlsemi.molecule.basis import SLATER_EXPONENT, Basis, species_row
from mlsemi.molecule.elements import VALENCE
from mlsemi.molecule.structure import Structure

ALL = [(z, l) for z, entry in VALENCE.items() for _, l in entry.shells]


@pytest.fixture(scope="module")
def formaldehyde():
    positions = [[0.0, 1.77, -1.1], [0.0, 0.0, 0.0], [0.0, 0.0, 2.28], [0.0, -1.77, -1.1]]
    return Structure([1, 6, 8, 1], positions)


@pytest.mark.parametrize(("number", "l"), ALL)
def test_expansion_is_the_slater_function(number, l):
    n, zeta = VALENCE[number].shells[0][0], SLATER_EXPONENT[number]
    exponents, coefficients = species_row(number, zeta)
    slater_norm = (2 * zeta) ** (n + 0.5) / np.sqrt(factorial(2 * n))
    gaussian_norm = np.sqrt(4 * np.pi / (2 * l + 1))

    def gaussians(r):
        return gaussian_norm * r**l * (coefficients[l] @ np.exp(-exponents * r**2))

    def slater(r):
        return slater_norm * r ** (n - 1) * np.exp(-zeta * r)

    norm = quad(lambda r: (r * gaussians(r)) ** 2, 0, 40, limit=200)[0]
    overlap = quad(lambda r: r**2 * gaussians(r) * slater(r), 0, 40, limit=200)[0]
    assert norm == pytest.approx(1.0, abs=1e-12)
    assert 0.99999 < overlap < 1.0


@pytest.mark.parametrize("symbol", ["H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Se", "Br"])
def test_exponents_agree_with_the_published_sto6g(symbol):
    """PySCF ships the published STO-6G sets; our fit is independent."""
    gto = pytest.importorskip("pyscf.gto")
    number = gto.charge(symbol)
    outermost = [shell for shell in gto.basis.load("sto-6g", symbol) if shell[0] == 0][-1]
    published = np.array([row[0] for row in outermost[1:]])
    exponents, _ = species_row(number, SLATER_EXPONENT[number])
    np.testing.assert_allclose(exponents, published, rtol=1e-4)


def test_orbital_order(formaldehyde):
    basis = Basis.of(formaldehyde)
    assert basis.n_orbital == formaldehyde.n_orbital == 10
    assert basis.n_atom == 4
    np.testing.assert_array_equal(basis.orbital_atom, [0, 1, 1, 1, 1, 2, 2, 2, 2, 3])
    np.testing.assert_array_equal(basis.orbital_l, [0, 0, 1, 1, 1, 0, 1, 1, 1, 0])
    np.testing.assert_array_equal(basis.orbital_m, [0, 0, -1, 0, 1, 0, -1, 0, 1, 0])
    np.testing.assert_array_equal(basis.shell_atom, [0, 1, 1, 2, 2, 3])
    np.testing.assert_array_equal(basis.shell_l, [0, 0, 1, 0, 1, 0])
    np.testing.assert_array_equal(basis.shell_offset, [0, 1, 2, 5, 6, 9])
    np.testing.assert_array_equal(basis.atom_offset, [0, 1, 5, 9, 10])
    assert basis.exponents.shape == basis.coefficients.shape == (6, 6)
    assert np.all(basis.coefficients[2] > 0.0)
    assert not basis.species_exponents.flags.writeable


def test_own_exponents_replace_the_standard_ones(formaldehyde):
    standard, own = Basis.of(formaldehyde), Basis.of(formaldehyde, {6: 1.5})
    np.testing.assert_allclose(own.exponents[1], standard.exponents[1] * (1.5 / 1.72) ** 2)
    np.testing.assert_array_equal(own.exponents[3], standard.exponents[3])


@pytest.mark.parametrize("zeta", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_exponents_are_refused(formaldehyde, zeta):
    with pytest.raises(InputError, match="Slater exponent of C"):
        Basis.of(formaldehyde, {6: zeta})
