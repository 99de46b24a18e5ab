"""Features of a molecule that are those of H, made once: the same as made twice."""

from dataclasses import replace

import numpy as np
import pytest
from test_bonded import FORM, METHANOL, MODEL, listed, stretched, touching

from mlsemi.model.model import Model
from mlsemi.model.terms.intermolecular.bonded import PREFIX, tied
from mlsemi.model.terms.prediction import PredictionBar


def twins():
    """A model whose inner features have the weights of the outer ones, as they are and tied."""
    weights = dict(MODEL.weights)
    for name in weights:
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) in weights:
            weights[name] = weights[name.removeprefix(PREFIX)].copy()
    return Model(FORM, weights), Model(FORM, tied(weights))


@pytest.mark.parametrize("aims", ["everything", "energies"])
@pytest.mark.parametrize("case", [METHANOL, touching(), stretched()], ids=["alone", "pair", "half"])
def test_features_that_are_the_same_are_made_once(case, aims):
    """Tied weights: the same prediction and slopes; where all are connected, no second features."""
    pairs, found = listed(case), []
    for model in twins():
        prediction, record = model.predict(pairs)
        rng = np.random.default_rng(3)
        bar = PredictionBar(
            hamiltonian=replace(
                prediction.hamiltonian,
                atoms=rng.normal(size=prediction.hamiltonian.atoms.shape),
                bonds=rng.normal(size=prediction.hamiltonian.bonds.shape),
            ),
            atom_energies=rng.normal(size=pairs.n_atom),
            multipoles=rng.normal(size=prediction.multipoles.shape),
        )
        if aims == "energies":
            bar = PredictionBar(atom_energies=bar.atom_energies)
        gradients, slope = model.adjoint(prediction, record, bar, with_positions=True)
        found.append((prediction, gradients, slope))
    (plain, apart, slope), (once, both, same_slope) = found
    for name in ("atom_energies", "multipoles", "charges"):
        np.testing.assert_allclose(
            getattr(once, name), getattr(plain, name), rtol=1e-12, atol=1e-13
        )
    np.testing.assert_allclose(same_slope, slope, rtol=1e-10, atol=1e-11)
    shared = case is METHANOL
    assert (once.bonded.nodes is once.nodes) == shared
    for name, value in apart.items():
        bare = name.removeprefix(PREFIX)
        if shared and bare != name and bare in apart:
            np.testing.assert_allclose(both[bare], value + apart[bare], rtol=1e-9, atol=1e-10)
        elif not shared or PREFIX + name not in apart:
            np.testing.assert_allclose(both[name], value, rtol=1e-9, atol=1e-10)
