"""Fitted features and estimators in files: the same bits again, and nothing else is read."""

import json

import numpy as np
import pytest
from representation_walks import BONDS, STRUCTURES, fitted_atoms
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from mlsemi.errors import InputError, ParameterError
from mlsemi.molecule.basis import Basis
from mlsemi.molecule.integrals import overlap
from mlsemi.representations.centers import PairFeatures
from mlsemi.representations.expansion import Expansion
from mlsemi.representations.learning.block_features import BlockFeatures
from mlsemi.representations.learning.hamiltonian import OperatorRegressor
from mlsemi.representations.learning.invariant_products import InvariantProducts
from mlsemi.representations.learning.kernels import SparseKernelRidge
from mlsemi.representations.learning.operators import OperatorLayout
from mlsemi.representations.learning.readout import NeuralReadout
from mlsemi.representations.learning.storage import load, save
from mlsemi.representations.radial_tables import (
    ShiftedCosine,
    gaussian_orbitals,
    smeared_functions,
)
from mlsemi.symmetry.tensors import Irrep

LAYOUT = OperatorLayout({1: (0,), 6: (0, 1), 7: (0, 1), 8: (0, 1)})


def test_features_are_the_same_again(tmp_path):
    pairs = PairFeatures.fit(STRUCTURES, BONDS, fitted_atoms(nu=2), 2, 1, 4)
    save(pairs, tmp_path / "pairs.npz")
    again = load(tmp_path / "pairs.npz")
    for one, other in zip(pairs(STRUCTURES).orders, again(STRUCTURES).orders, strict=True):
        assert list(one) == list(other)
        for irrep, value in one.items():
            assert isinstance(irrep, Irrep)
            np.testing.assert_array_equal(value, other[irrep])
    assert again.atoms.discarded[1].keys() == pairs.atoms.discarded[1].keys()
    assert not again.steps[0].maps[Irrep(0, 1)].flags.writeable


def test_tables_keep_their_envelope(tmp_path):
    table = smeared_functions(gaussian_orbitals(4.0, 3, 2), 4.0, 2, 0.5, ShiftedCosine(4.0, 1.0))
    expansion = Expansion((1, 6, 7, 8), table)
    save(expansion, tmp_path / "expansion.npz")
    again = load(tmp_path / "expansion.npz")
    neighbours = expansion.neighbours(STRUCTURES)
    for irrep, value in expansion(neighbours).items():
        np.testing.assert_array_equal(again(neighbours)[irrep], value)
    assert again.radial.envelope == ShiftedCosine(4.0, 1.0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"products": InvariantProducts(4, 3)},
        {"estimator": SparseKernelRidge(alpha=None, n_point=4)},
        {"estimator": NeuralReadout(n_iteration=2, n_hidden=2, n_channel=3, n_invariant=2)},
    ],
)
def test_pipelines_predict_the_same_again(options, tmp_path):
    features = BlockFeatures(LAYOUT, 1, 6.0, 3, 1, 5)
    model = make_pipeline(features, OperatorRegressor(LAYOUT, **options))
    model.fit(STRUCTURES, [overlap(Basis.of(s), s.positions) for s in STRUCTURES])
    save(model, tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    for one, other in zip(model.predict(STRUCTURES), again.predict(STRUCTURES), strict=True):
        np.testing.assert_array_equal(one, other)
    save(features.set_params(nu=2), tmp_path / "model.npz")
    assert load(tmp_path / "model.npz").nu == 2


def test_other_things_are_neither_written_nor_read(tmp_path):
    path = tmp_path / "thing.npz"
    for thing in (Ridge(), print, {"a": object()}, make_pipeline(Ridge())):
        with pytest.raises(InputError, match="cannot be saved"):
            save(thing, path)
    assert not path.exists()
    for address in ("os:system", "mlsemi.outputs:complete_or_absent", "mlsemi.symmetry.so3:sqrt"):
        content = {"class": address, "values": {"dict": []}}
        np.savez(
            path,
            tree=np.array(json.dumps({"format": "mlsemi-representation-1", "content": content})),
        )
        with pytest.raises(ParameterError, match="is no class of the suite"):
            load(path)
    path.write_bytes(b"nothing")
    with pytest.raises(ParameterError, match=r"thing\.npz cannot be read"):
        load(path)
    with pytest.raises(ParameterError, match="cannot be read"):
        load(tmp_path / "none.npz")
