import numpy as np
import pytest
from molecules import SMALL, distorted, random_model

from mlsemi.domain import MARGIN, feature_distance, fit_domain, outside
from mlsemi.pairs import PairList

TRAINING = [distorted(name, seed) for seed in range(4) for name in ("HCOOH", "CH3CONH2")]
MODEL = random_model()


def seen(structures):
    pairs = PairList.of(structures, SMALL.elements, SMALL.cutoff)
    return pairs, MODEL.predict(pairs)[1].features.invariants


@pytest.fixture(scope="module")
def fitted():
    pairs, invariants = seen(TRAINING)
    return fit_domain(pairs.species, invariants, len(SMALL.elements))


def test_distance_is_one_on_average(fitted):
    pairs, invariants = seen(TRAINING)
    distance = feature_distance(pairs.species, invariants, fitted)
    for _, rows in pairs.groups:
        assert np.mean(distance[rows] ** 2) == pytest.approx(1.0, rel=1e-3)
        assert distance[rows].max() * MARGIN == pytest.approx(
            fitted["domain.limit"][pairs.species[rows]][0]
        )


def test_training_molecules_are_inside(fitted):
    for structure in TRAINING:
        assert outside(*seen([structure]), fitted).size == 0


def test_strange_surroundings_are_named_in_the_order_of_the_structure(fitted):
    strange = distorted("CH3NO2", seed=1)
    atoms = outside(*seen([strange]), fitted)
    assert atoms.size > 0
    assert 7 in strange.numbers[atoms]


def test_species_without_data_have_no_distance(fitted):
    pairs, invariants = seen(TRAINING[:1])
    alone = fit_domain(pairs.species, invariants, len(SMALL.elements))
    nitrogen = SMALL.elements.index(7)
    assert np.isinf(alone["domain.spread"][nitrogen]).all()
    assert set(fitted) == set(alone) <= set(SMALL.shapes())
    for name, value in alone.items():
        assert value.shape == SMALL.shapes()[name]
