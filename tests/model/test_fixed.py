"""Fixed features: principal components are what they claim, kernels are exact at their points."""

import numpy as np
import pytest
from molecules import FORMS, SMALL, distorted

from mlsemi.model.catalogue import start_of
from mlsemi.model.terms.fixed.bonds import FixedBonds
from mlsemi.model.terms.fixed.features import FixedFeatures, features_of
from mlsemi.model.terms.fixed.sparse import gaussian, kernel_factors
from mlsemi.model.terms.prediction import Prediction
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.selection import principal_components
from mlsemi.symmetry.so3 import components

NAMES = ("CH3CONH2", "HCOOH", "CH3NO2", "H2CO", "HCN", "CH3OH")
STRUCTURES = [distorted(name, seed) for seed in range(3) for name in NAMES]
PAIRS = PairList.of(STRUCTURES, SMALL.elements, SMALL.cutoff)
BASIS, _ = SMALL.radial(PAIRS.distance)


def fixed_representation(form):
    """Weights of the fixed features, and of nothing else."""
    weights, sample = start_of(form, 0), Prediction.blank(PAIRS, *form.radial(PAIRS.distance))
    terms = FixedFeatures(form), FixedBonds(form)
    for term in terms:
        term.fit(weights, None, sample)
        term.forward(weights, sample)
    facts = terms[0].weights() | terms[1].weights()
    return {name: weights[name] for name, fact in facts.items() if not fact.trained}


@pytest.fixture(scope="module", params=["linear", "kernel"])
def fixed(request):
    form = FORMS[request.param]
    return form, fixed_representation(form)


def test_every_fixed_weight_is_set(fixed):
    for name, value in fixed[1].items():
        assert value.any(), name


def test_components_have_unit_mean_square_and_no_correlation(fixed):
    form, weights = fixed
    plain = features_of(PAIRS, BASIS, weights).plain
    k = form.n_channel
    for _, rows in PAIRS.groups:
        for l in range(3):
            for part in (plain[rows, components(l), :k], plain[rows, components(l), k:]):
                flat = part.reshape(-1, part.shape[2])
                np.testing.assert_allclose(
                    flat.T @ flat / len(flat), np.eye(len(flat.T)), atol=1e-6
                )
        assert np.abs(plain[rows, 0, k:].mean(axis=0)).max() < 1e-10


def test_principal_components_of_few_directions():
    """Directions that do not occur give zeros, not noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20, 3, 2)) @ rng.normal(size=(2, 5))
    out = principal_components(x, 4)
    assert not out[:, 2:].any()
    assert np.mean((x @ out[:, :2]) ** 2) == pytest.approx(1.0)


def test_kernel_is_exact_at_its_points():
    """Nystroem features of the sparse points reproduce the kernel between them."""
    weights = fixed_representation(FORMS["kernel"])
    for name, labels in (("atom", (1, 3)), ("bond", (4 * 1 + 1, 4 * 1 + 3))):
        for label in labels:
            points = weights[f"sparse.{name}.points"][label]
            metric = weights[f"sparse.{name}.metric"][label]
            x = np.where(metric > 0.0, points / np.where(metric > 0.0, metric, 1.0), 0.0)
            factors, _ = kernel_factors(x, np.full(len(x), label), weights, name)
            np.testing.assert_array_equal(factors[:, 0], 1.0)
            kernel = gaussian(points, points)
            np.testing.assert_allclose(factors[:, 1:] @ factors[:, 1:].T, kernel, atol=1e-8)
            assert kernel[0, 1] < 0.9
