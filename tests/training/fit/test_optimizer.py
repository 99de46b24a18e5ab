"""SOAP: axes of the gradient's covariances, Adam along them."""

import numpy as np
import pytest

from mlsemi.training.fit.optimizer import LONGEST, REFRESH, direction

BETAS = (0.9, 0.99)


def adam(gradients):
    """Plain Adam, the last step."""
    first = second = 0.0
    for g in gradients:
        first = BETAS[0] * first + (1 - BETAS[0]) * g
        second = BETAS[1] * second + (1 - BETAS[1]) * g * g
    n = len(gradients)
    return first / (1 - BETAS[0] ** n) / (np.sqrt(second / (1 - BETAS[1] ** n)) + 1e-10)


def last(gradients, name="w"):
    moments = {}
    for step, g in enumerate(gradients, start=1):
        out = direction(moments, name, g, step, *BETAS)
    return out


def test_vectors_and_long_sides_are_adam():
    rng = np.random.default_rng(0)
    for shape in ((7,), (LONGEST + 1, 1)):
        gradients = rng.normal(size=(12, *shape))
        assert np.allclose(last(gradients), adam(gradients), rtol=1e-12)


def test_axes_turn_with_the_weights():
    """Rotated gradients give the rotated step: Adam alone would not."""
    rng = np.random.default_rng(1)
    scale = np.outer([1.0, 3.0, 0.2], [1.0, 0.1, 5.0, 0.5])
    gradients = scale * rng.normal(size=(REFRESH - 1, 3, 4))
    u, v = (np.linalg.qr(rng.normal(size=(n, n)))[0] for n in (3, 4))
    turned = last([u @ g @ v.T for g in gradients])
    assert np.allclose(turned, u @ last(gradients) @ v.T, atol=1e-8)
    assert not np.allclose(adam(u @ gradients @ v.T), u @ adam(gradients) @ v.T, atol=0.1)


def test_stacks_are_matrices_side_by_side():
    gradients = np.random.default_rng(2).normal(size=(25, 2, 3, 4))
    both = last(gradients)
    for k in range(2):
        assert np.allclose(both[k], last(gradients[:, k]), rtol=1e-8)


def test_a_rare_gradient_takes_no_giant_step():
    """New axes see components that the second moment of the old ones has never seen."""
    rng = np.random.default_rng(4)
    gradients = np.zeros((2 * REFRESH + 2, 4, 5))
    gradients[6] = np.outer([1.0, 0.0, 0.0, 2.0], [0.0, 1.0, 0.5, 0.0, 0.0])
    gradients[REFRESH + 3] = np.outer(rng.normal(size=4), rng.normal(size=5))
    moments = {}
    steps = [direction(moments, "w", g, k, *BETAS) for k, g in enumerate(gradients, start=1)]
    largest = max(float(np.linalg.norm(step)) for step in steps)
    assert 0.1 < largest < 6.0


@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 3, 4)])
def test_a_gradient_of_zeros_moves_nothing(shape):
    assert np.array_equal(last([np.zeros(shape)] * 2), np.zeros(shape))
