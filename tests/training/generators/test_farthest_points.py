"""Farthest-point choice: what is known is not chosen, what is different comes first."""

from pathlib import Path

import numpy as np
import pytest
from molecules import distorted, moved, random_model
from teacher import lesson
from tiny import write_tiny_parameters

from mlsemi.errors import InputError
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.selection import farthest_points
from mlsemi.training.data.dataset import ReferenceDataset

pytest.importorskip("rdkit")

from mlsemi.training.generators.selection import molecule_features, select


def test_known_rows_are_there_already():
    x = np.array([[0.0, 0.0], [10.0, 0.0], [0.1, 0.0], [10.0, 4.0], [5.0, 0.0]])
    assert farthest_points(x, 2, known=2).tolist() == [4, 3]
    assert sorted(farthest_points(x, 9, known=2).tolist()) == [2, 3, 4]


@pytest.fixture
def model():
    model = random_model()
    pairs = PairList.of([distorted("CH3NO2")], model.form.elements, model.form.cutoff)
    shape = model.invariants(pairs).shape
    n = len(model.form.elements)
    weights = {
        "domain.center": np.full((n, shape[1]), 0.1),
        "domain.spread": np.full((n, shape[1]), 0.5),
    }
    return type(model)(model.form, dict(model.weights) | weights)


def test_features_do_not_depend_on_order_or_place(model):
    structure = distorted("CH3NO2")
    order = np.random.default_rng(0).permutation(structure.n_atom)
    other = type(structure)(structure.numbers[order], structure.positions[order] + 1.0)
    changed = moved(structure, structure.positions * 1.1)
    a, b, c = molecule_features([structure, other, changed], model)
    np.testing.assert_allclose(a, b, atol=1e-12)
    assert np.abs(a - c).max() > 1e-3


def test_select(tmp_path):
    tiny_parameters = write_tiny_parameters(tmp_path / "tiny")
    listed = tmp_path / "candidates.smi"
    listed.write_text("CC\nCCC\nC#N\n[He]\n[CH3]\nCCCC\n")
    ethane = lesson(random_model(), distorted("C2H6"), "OTMSDBZUPAUEDD", "CC")
    ReferenceDataset((ethane,), {}).save(tmp_path / "known.h5")
    output = tmp_path / "next.smi"
    chosen = select(listed, 2, output, [tmp_path / "known.h5"], str(tiny_parameters), quiet=True)
    assert chosen[0] == "C#N"
    assert "CC" not in chosen
    assert Path(output).read_text().split() == chosen
    listed.write_text("[He]\n")
    with pytest.raises(InputError, match="no molecule"):
        select(listed, 2, output, [], str(tiny_parameters), quiet=True)
