import numpy as np
import pytest
from naive_integrals import element, operator_of
from scipy.spatial.transform import Rotation

from mlsemi.errors import InputError
from mlsemi.molecule.basis import Basis, primitive_norm
from mlsemi.molecule.integrals import (
    angular_integrals,
    dipole_adjoint,
    dipole_integrals,
    overlap,
    overlap_adjoint,
    velocity_integrals,
)
from mlsemi.molecule.structure import Structure

ORIGIN = np.array([0.3, -0.7, 1.1])
STEP = 1e-4


def assert_close(actual, desired, atol):
    """Absolute comparison; NumPy would add a relative tolerance of 1e-7 unasked."""
    np.testing.assert_allclose(actual, desired, rtol=0.0, atol=atol)


@pytest.fixture(scope="module")
def structure():
    """No symmetry, every element of the basis, distances of bonds and beyond."""
    rng = np.random.default_rng(7)
    numbers = [1, 6, 7, 8, 9, 15, 16, 17, 1, 6]
    grid = np.array([(i % 3, (i // 3) % 3, i // 9) for i in range(len(numbers))])
    return Structure(numbers, 2.6 * grid + rng.uniform(-0.5, 0.5, grid.shape), charge=0)


@pytest.fixture(scope="module")
def basis(structure):
    return Basis.of(structure)


def pyscf_molecule(structure, basis):
    """The same basis in PySCF, and its orbitals (p: x, y, z) in mlsemi's order (y, z, x)."""
    gto = pytest.importorskip("pyscf.gto")
    # PySCF expects coefficients of normalised primitives and normalises the sum.
    shells = {}
    for atom, l, exponents, coefficients in zip(
        basis.shell_atom, basis.shell_l, basis.exponents, basis.coefficients, strict=True
    ):
        unit = coefficients / primitive_norm(exponents, int(l))
        pairs = [[float(a), float(c)] for a, c in zip(exponents, unit, strict=True)]
        shells.setdefault(f"{structure.symbols[atom]}{atom}", []).append([int(l), *pairs])
    labels = list(shells)
    molecule = gto.M(
        atom=list(zip(labels, structure.positions.tolist(), strict=True)),
        basis=shells,
        unit="Bohr",
        charge=structure.charge,
        verbose=0,
    )
    order = []
    for l, offset in zip(basis.shell_l, basis.shell_offset, strict=True):
        order.extend(offset + np.array([[0], [1, 2, 0]][l]))
    return molecule, np.array(order)


def test_against_pyscf(structure, basis):
    molecule, order = pyscf_molecule(structure, basis)
    pick = np.ix_(order, order)
    x = structure.positions
    assert_close(overlap(basis, x), molecule.intor("int1e_ovlp")[pick], atol=1e-10)
    for ours, name, sign in (
        (dipole_integrals(basis, x), "int1e_r", 1.0),
        # int1e_ipovlp is <d/dr m|n> = -<m|d/dr|n>.
        (velocity_integrals(basis, x), "int1e_ipovlp", -1.0),
    ):
        for k, component in enumerate(molecule.intor(name, comp=3)):
            assert_close(ours[k], sign * component[pick], atol=1e-10)
    with molecule.with_common_orig(ORIGIN):
        theirs = molecule.intor("int1e_cg_irxp", comp=3)
    ours = angular_integrals(basis, x, ORIGIN)
    for k in range(3):
        assert_close(ours[k], theirs[k][pick], atol=1e-10)


def test_against_quadrature(structure, basis):
    x = structure.positions
    matrices = {
        "overlap": overlap(basis, x)[None],
        "dipole": dipole_integrals(basis, x),
        "velocity": velocity_integrals(basis, x),
        "angular": angular_integrals(basis, x, ORIGIN),
    }
    rng = np.random.default_rng(0)
    pairs = [*rng.integers(0, basis.n_orbital, (6, 2)).tolist(), [2, 3], [3, 1], [5, 2]]
    for kind, matrix in matrices.items():
        assert np.abs(matrix).max() > 0.1
        for k, component in enumerate(matrix):
            for m, n in pairs:
                expected = element(basis, x, m, n, operator_of(kind, k, ORIGIN))
                assert component[m, n] == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize(
    ("forward", "adjoint"),
    [(overlap, overlap_adjoint), (dipole_integrals, dipole_adjoint)],
)
def test_adjoint(structure, basis, forward, adjoint):
    """<bar, dY/dx t> by central differences (Richardson) against <adjoint(bar), t>."""
    rng = np.random.default_rng(1)
    x = structure.positions
    bar = rng.normal(size=forward(basis, x).shape)
    direction = rng.normal(size=x.shape)
    positions_bar = adjoint(basis, x, bar)

    def central(step):
        difference = forward(basis, x + step * direction) - forward(basis, x - step * direction)
        return np.sum(bar * difference) / (2 * step)

    product = np.sum(positions_bar * direction)
    assert abs(product) > 1.0
    h = 2e-3
    fourth_order = [(4 * central(s / 2) - central(s)) / 3 for s in (h, h / 2)]
    sixth_order = (16 * fourth_order[1] - fourth_order[0]) / 15
    assert product == pytest.approx(sixth_order, rel=1e-10)
    for atom, axis in ((0, 0), (4, 1), (7, 2)):
        direction = np.zeros_like(x)
        direction[atom, axis] = 1.0
        assert abs(positions_bar[atom, axis]) > 1e-2
        assert positions_bar[atom, axis] == pytest.approx(central(STEP), abs=1e-6)


def test_adjoint_is_invariant_under_translation(structure, basis):
    """Overlap does not know where the molecule is; the dipole moves by S times the shift."""
    rng = np.random.default_rng(2)
    x, n = structure.positions, basis.n_orbital
    S_bar, r_bar = rng.normal(size=(n, n)), rng.normal(size=(3, n, n))
    assert np.abs(overlap_adjoint(basis, x, S_bar).sum(axis=0)).max() < 1e-12
    expected = np.einsum("kmn,mn->k", r_bar, overlap(basis, x))
    assert_close(dipole_adjoint(basis, x, r_bar).sum(axis=0), expected, atol=1e-11)


def test_velocity_is_the_derivative_of_the_overlap(structure, basis):
    atom, x = 3, structure.positions
    on_atom = basis.orbital_atom == atom
    velocity = velocity_integrals(basis, x)[:, :, on_atom]
    for k in range(3):
        shift = np.zeros_like(x)
        shift[atom, k] = STEP
        slope = (overlap(basis, x + shift) - overlap(basis, x - shift))[:, on_atom] / (2 * STEP)
        others = ~on_atom
        assert np.abs(slope[others]).max() > 1e-2
        assert_close(velocity[k][others], -slope[others], atol=1e-7)


def test_symmetry_of_the_matrices(structure, basis):
    x = structure.positions
    S = overlap(basis, x)
    assert_close(np.diag(S), 1.0, atol=1e-14)
    assert np.linalg.eigvalsh(S)[0] > 1e-3
    np.testing.assert_array_equal(S, S.T)
    r = dipole_integrals(basis, x)
    np.testing.assert_array_equal(r, r.transpose(0, 2, 1))
    for matrix in (velocity_integrals(basis, x), angular_integrals(basis, x, ORIGIN)):
        assert_close(matrix, -matrix.transpose(0, 2, 1), atol=1e-13)


def orbital_rotation(basis, rotation):
    """Block-diagonal matrix that rotates the orbitals: 1 on s, ``rotation`` on (y, z, x) of p."""
    D = np.eye(basis.n_orbital)
    order = [1, 2, 0]
    for offset in basis.shell_offset[basis.shell_l == 1]:
        D[offset : offset + 3, offset : offset + 3] = rotation[np.ix_(order, order)]
    return D


@pytest.mark.parametrize("parity", [1.0, -1.0])
def test_rotation_and_inversion(structure, basis, parity):
    rotation = parity * Rotation.from_rotvec([0.4, -1.1, 0.8]).as_matrix()
    D = orbital_rotation(basis, rotation)
    x, turned = structure.positions, structure.positions @ rotation.T
    assert_close(overlap(basis, turned), D @ overlap(basis, x) @ D.T, atol=1e-13)
    # Angular momentum is an axial vector: it does not change sign under inversion.
    for function, axial in (
        (dipole_integrals, 1.0),
        (velocity_integrals, 1.0),
        (lambda b, y: angular_integrals(b, y, np.zeros(3)), parity),
    ):
        expected = axial * np.einsum("kl,lmn->kmn", rotation, D @ function(basis, x) @ D.T)
        assert np.abs(expected).max() > 0.1
        assert_close(function(basis, turned), expected, atol=1e-12)


def test_translation(structure, basis):
    x, shift = structure.positions, np.array([3.0, -2.0, 5.0])
    S, moved = overlap(basis, x), x + shift
    assert_close(overlap(basis, moved), S, atol=1e-13)
    expected = dipole_integrals(basis, x) + shift[:, None, None] * S
    assert_close(dipole_integrals(basis, moved), expected, atol=1e-12)
    angular = angular_integrals(basis, moved, ORIGIN + shift)
    assert_close(angular, angular_integrals(basis, x, ORIGIN), atol=1e-12)


def test_distant_fragments_do_not_overlap():
    numbers, x = [8, 1, 1], np.array([[0.0, 0.0, 0.2], [0.0, 1.4, 1.2], [0.1, -1.4, 1.3]])
    near = Structure(numbers, x)
    both = Structure(numbers * 2, np.vstack([x, x + np.array([60.0, 0.0, 0.0])]))
    single, pair = Basis.of(near), Basis.of(both)
    n = single.n_orbital
    S = overlap(pair, both.positions)
    np.testing.assert_array_equal(S[:n, n:], 0.0)
    assert_close(S[:n, :n], overlap(single, x), atol=1e-15)
    np.testing.assert_array_equal(dipole_integrals(pair, both.positions)[:, :n, n:], 0.0)
    S_bar = np.zeros_like(S)
    S_bar[:n, n:] = 1.0
    np.testing.assert_array_equal(overlap_adjoint(pair, both.positions, S_bar), 0.0)


def test_screening_moves_nothing():
    """Primitive pairs drop out one after the other; the quadrature keeps them all."""
    basis = Basis.of(Structure([6, 6], [[0.0, 0.0, 0.0], [0.0, 0.0, 6.0]]))
    largest = 0.0
    for distance in np.linspace(4.0, 26.0, 23):
        x = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, distance]])
        S = overlap(basis, x)
        for m, n in ((0, 4), (0, 6), (2, 6)):
            expected = element(basis, x, m, n, operator_of("overlap"))
            largest = max(largest, abs(expected))
            assert S[m, n] == pytest.approx(expected, abs=1e-15)
    assert largest > 0.01


def test_single_atom():
    structure = Structure([8], [[1.0, 2.0, 3.0]])
    basis = Basis.of(structure)
    x = structure.positions
    assert_close(overlap(basis, x), np.eye(4), atol=1e-14)
    r = dipole_integrals(basis, x)
    assert_close(np.diagonal(r, axis1=1, axis2=2).T, [x[0]] * 4, atol=1e-14)
    # <s|y|p_y> is the same number for the three axes; orbitals are s, y, z, x.
    sp = [r[1, 0, 1], r[2, 0, 2], r[0, 0, 3]]
    assert sp[0] > 0.5
    assert_close(sp, sp[0], atol=1e-14)
    angular = angular_integrals(basis, x, x[0])
    # (x d/dy - y d/dx) p_x = -p_y.
    assert angular[2, 1, 3] == pytest.approx(-1.0)
    S_bar = np.ones((4, 4))
    np.testing.assert_array_equal(overlap_adjoint(basis, x, S_bar), 0.0)


def test_wrong_shapes_are_refused(structure, basis):
    with pytest.raises(InputError, match="positions has shape"):
        overlap(basis, structure.positions[:3])
    with pytest.raises(InputError, match="S_bar has shape"):
        overlap_adjoint(basis, structure.positions, np.zeros((2, 2)))
