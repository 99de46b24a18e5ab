"""Density coefficients and power spectra against featomic, and against each other."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from harness import assert_adjoint
from molecules import distorted
from representation_walks import EXPANSION, STRUCTURES
from scipy.integrate import quad

from mlsemi.errors import InputError
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.neighbours import Points
from mlsemi.representations.power import power_spectrum, power_spectrum_adjoint
from mlsemi.representations.radial_tables import (
    RadialTable,
    ShiftedCosine,
    gaussian_orbitals,
    orthonormal,
    point_functions,
    quadrature,
    smeared_functions,
)
from mlsemi.symmetry.products import Product
from mlsemi.symmetry.radial import RadialBasis
from mlsemi.symmetry.tensors import SCALAR, Irrep

RADIUS, WIDTH = 4.0, 0.4
"""Angstrom, the unit of featomic; features know no units."""
N_RADIAL, N_DEGREE = 4, 4
ELEMENTS = (1, 6, 8)
HYPERS = {
    "cutoff": {"radius": RADIUS, "smoothing": {"type": "ShiftedCosine", "width": RADIUS}},
    "density": {"type": "Gaussian", "width": WIDTH, "center_atom_weight": 0.0},
    "basis": {
        "type": "TensorProduct",
        "max_angular": N_DEGREE - 1,
        "radial": {"type": "Gto", "max_radial": N_RADIAL - 1},
        "spline_accuracy": 1e-9,
    },
}
NORM = (np.pi * WIDTH**2) ** -0.75 * (2.0 * np.pi * WIDTH**2) ** 1.5
"""featomic's Gaussians have a unit square, ours a unit integral."""


@pytest.fixture(scope="module")
def frames():
    return [distorted("CH3CHO").to_ase(), distorted("HCOOH", seed=4).to_ase()]


def coefficients_with(frames, envelope):
    table = smeared_functions(
        gaussian_orbitals(RADIUS, N_RADIAL, N_DEGREE), RADIUS, N_DEGREE, WIDTH, envelope
    )
    expansion = Expansion(ELEMENTS, table)
    points = [Points(frame.numbers, frame.positions) for frame in frames]
    return expansion(expansion.neighbours(points))


@pytest.fixture(scope="module")
def coefficients(frames):
    return coefficients_with(frames, ShiftedCosine(RADIUS, RADIUS))


def rows_of(block, frames):
    """Our rows of featomic's samples (system, atom)."""
    start = np.cumsum([0, *map(len, frames)])
    return start[block.samples.values[:, 0]] + block.samples.values[:, 1]


@pytest.mark.parametrize(
    ("smoothing", "envelope"),
    [
        ({"type": "ShiftedCosine", "width": RADIUS}, ShiftedCosine(RADIUS, RADIUS)),
        ({"type": "ShiftedCosine", "width": 1.0}, ShiftedCosine(RADIUS, 1.0)),
        ({"type": "ShiftedCosine", "width": 0.3}, ShiftedCosine(RADIUS, 0.3)),
        ({"type": "Step"}, np.ones_like),
    ],
)
def test_density_coefficients_are_those_of_featomic(frames, smoothing, envelope):
    featomic = pytest.importorskip("featomic")
    coefficients = coefficients_with(frames, envelope)
    hypers = HYPERS | {"cutoff": {"radius": RADIUS, "smoothing": smoothing}}
    found = featomic.SphericalExpansion(**hypers).compute(frames)
    compared = 0.0
    for key, block in found.items():
        a = ELEMENTS.index(int(key["neighbor_type"])) * N_RADIAL
        value = coefficients[Irrep(int(key["o3_lambda"]), 1)]
        mine = NORM * value[rows_of(block, frames), :, a : a + N_RADIAL]
        np.testing.assert_allclose(mine, block.values, rtol=0, atol=1e-7)
        compared = max(compared, np.abs(block.values).max())
    assert compared > 0.1


def test_power_spectrum_is_that_of_featomic(frames, coefficients):
    """Up to its sign (-1)^l, and its factor sqrt 2 for two different neighbour species."""
    featomic = pytest.importorskip("featomic")
    found = featomic.SoapPowerSpectrum(**HYPERS).compute(frames)
    n_channel = len(ELEMENTS) * N_RADIAL
    spectrum = NORM**2 * power_spectrum(coefficients, N_RADIAL)
    full = np.zeros((*spectrum.shape[:2], n_channel, n_channel))
    first, second = np.triu_indices(n_channel)
    full[:, :, first, second] = full[:, :, second, first] = spectrum
    for key, block in found.items():
        a, b = (ELEMENTS.index(int(key[f"neighbor_{k}_type"])) * N_RADIAL for k in (1, 2))
        l, n1, n2 = block.properties.values.T
        mine = full[rows_of(block, frames)][:, l, a + n1, b + n2] * (np.sqrt(2.0) if a != b else 1)
        np.testing.assert_allclose(mine, block.values * (-1.0) ** l, rtol=0, atol=1e-6)
    assert found.keys.values.shape[0] > 10


def test_power_spectrum_is_the_invariant_product():
    """Order 2 by the general product; the coupling coefficient (l m l m | 0 0) may be negative."""
    rho = EXPANSION(EXPANSION.neighbours(STRUCTURES))
    general = Product.all(rho, rho, (SCALAR,))(rho, rho)[SCALAR][:, 0]
    special = power_spectrum(rho, 4)
    flat = special.reshape(general.shape)
    np.testing.assert_allclose(np.abs(flat), np.abs(general), rtol=1e-12, atol=1e-14)
    for (l, _), value in rho.items():
        slow = np.einsum("xmk,xmq->xkq", value, value) / np.sqrt(2 * l + 1)
        first, second = np.triu_indices(value.shape[2])
        np.testing.assert_allclose(special[:, l], slow[:, first, second], rtol=1e-12, atol=1e-14)


def test_power_spectrum_adjoint():
    rho = EXPANSION(EXPANSION.neighbours(STRUCTURES[:1]))

    def forward(*values):
        return power_spectrum(dict(zip(rho, values, strict=True)), 4)

    def adjoint(out_bar):
        return tuple(power_spectrum_adjoint(rho, 4, out_bar).values())

    assert (rho[Irrep(0, 1)] == 0.0).any(), "channels of absent species have a derivative too"
    assert_adjoint(forward, adjoint, list(rho.values()))


def test_gaussian_orbitals_are_orthonormal():
    x, w = quadrature(60.0)
    values = gaussian_orbitals(RADIUS, 6, 2)(x)[:, 1]
    np.testing.assert_allclose(values.T @ (w[:, None] * values), np.eye(6), atol=1e-9)


def test_point_functions_are_orthonormal_and_end_at_the_cutoff():
    basis = RadialBasis(5, 6.0)
    x, w = quadrature(basis.cutoff)
    table = point_functions(basis, 2)
    values = table(x, np.zeros(x.size, int))[:, 1]
    np.testing.assert_allclose(values.T @ (w[:, None] * values), np.eye(5), atol=1e-7)
    np.testing.assert_allclose(values, basis(x)[0] @ orthonormal(basis), atol=1e-8)
    assert not table(np.array([6.0, 7.0]), np.zeros(2, int)).any()


def test_smeared_functions_are_overlaps():
    """R_0(r) of l = 0 by quadrature over the angle, for one function constant in space."""
    width, r = 0.5, 1.7
    table = smeared_functions(
        lambda x: (x < 3.0).astype(float)[:, None, None], 3.0, 1, width, np.ones_like
    )

    def shell(x):
        c, w = np.polynomial.legendre.leggauss(60)
        square = x**2 + r**2 - 2.0 * x * r * c
        gauss = np.exp(-0.5 * square / width**2) / (2.0 * np.pi * width**2) ** 1.5
        return 2.0 * np.pi * x**2 * (w @ gauss)

    value = table(np.array([r]), np.array([0]))[0, 0, 0]
    assert value == pytest.approx(quad(shell, 0.0, 3.0)[0], rel=2e-3)


def test_rough_functions_are_refused():
    with pytest.raises(InputError, match="too rough"):
        RadialTable.of(lambda r: (r < 1.0).astype(float)[:, None, None], 2.0)


@pytest.mark.parametrize("width", [0.7, 4.0])
def test_shifted_cosine_and_its_adjoint(width):
    table = smeared_functions(
        gaussian_orbitals(4.0, 3, 2), 4.0, 2, 0.5, ShiftedCosine(4.0, width)
    ).contracted(np.random.default_rng(0).normal(size=(1, 2, 3, 2)))
    r, none = np.array([1.1, 3.45, 3.9, 4.5]), np.zeros(4, int)
    bare = replace(table, envelope=None)(r, none)
    slow = [
        1.0 if x < 4.0 - width else 0.5 + 0.5 * np.cos(np.pi * (x - 4.0 + width) / width) for x in r
    ]
    np.testing.assert_allclose(table(r, none), np.array(slow)[:, None, None] * bare, atol=1e-13)
    assert_adjoint(lambda x: table(x, none), lambda bar: table.adjoint(r, none, bar), [r])
    with pytest.raises(InputError, match=r"width 5\.0 of a cutoff function"):
        ShiftedCosine(4.0, 5.0)


def test_unused_frames_have_no_effect(frames, coefficients):
    """Structures of one list do not see each other."""
    assert isinstance(frames[0], Atoms)
    alone = Expansion(ELEMENTS, point_functions(RadialBasis(3, 5.0), 3))
    points = [Points(frame.numbers, frame.positions) for frame in frames]
    both = alone(alone.neighbours(points))
    for irrep, value in alone(alone.neighbours(points[1:])).items():
        np.testing.assert_array_equal(value, both[irrep][len(frames[0]) :])
