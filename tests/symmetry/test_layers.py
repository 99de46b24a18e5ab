import numpy as np
import pytest
from harness import assert_adjoint, derivative

from mlsemi.symmetry.layers import (
    linear_by_species,
    linear_by_species_adjoint,
    perceptron,
    perceptron_adjoint,
    silu,
)

GROUPS = ((0, slice(0, 2)), (2, slice(2, 5)))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_linear_by_species(rng):
    x, weights = rng.normal(size=(5, 3, 4)), rng.normal(size=(3, 4, 2))
    out = linear_by_species(x, weights, GROUPS)
    for atom, species in enumerate((0, 0, 2, 2, 2)):
        np.testing.assert_allclose(out[atom], x[atom] @ weights[species], rtol=1e-13)


def test_linear_by_species_adjoint(rng):
    x, weights = rng.normal(size=(5, 3, 4)), rng.normal(size=(3, 4, 2))

    def adjoint(out_bar):
        weights_bar = np.zeros_like(weights)
        return linear_by_species_adjoint(x, weights, GROUPS, out_bar, weights_bar), weights_bar

    assert_adjoint(lambda a, w: linear_by_species(a, w, GROUPS), adjoint, [x, weights])


def test_silu():
    x = np.array([[-30.0, -1.0, 0.0], [2.0, 30.0, 700.0]])
    value, slope = silu(x)
    np.testing.assert_allclose(value, x / (1.0 + np.exp(-x)), rtol=1e-14)
    for at, expected in zip(x.ravel(), slope.ravel(), strict=True):
        found = derivative(lambda t, at=at: silu(np.array([[at + t]]))[0][0, 0])
        assert found == pytest.approx(expected, abs=1e-10)


def test_silu_far_below_zero():
    value, slope = silu(np.array([[-750.0, -1e300]]))
    assert np.abs(value).max() <= 1e-4
    assert np.abs(slope).max() <= 1e-4


def test_perceptron_adjoint(rng):
    label = np.array([0, 2, 0, 1, 2])
    names = ("net.in", "net.bias", "net.out")
    arrays = [rng.normal(size=shape) for shape in ((5, 3), (3, 4), (3, 4), (4, 2))]

    def forward(x, *weights):
        return perceptron(x, label, dict(zip(names, weights, strict=True)), "net")[0]

    def adjoint(out_bar):
        x, weights = arrays[0], dict(zip(names, arrays[1:], strict=True))
        gradients = {name: np.zeros_like(value) for name, value in weights.items()}
        record = perceptron(x, label, weights, "net")[1]
        x_bar = perceptron_adjoint(x, label, weights, "net", record, out_bar, gradients)
        return x_bar, *gradients.values()

    assert_adjoint(forward, adjoint, arrays)
    row = forward(*arrays)[1]
    hidden = arrays[0][1] @ arrays[1] + arrays[2][2]
    np.testing.assert_allclose(row, (hidden / (1 + np.exp(-hidden))) @ arrays[3], rtol=1e-12)
