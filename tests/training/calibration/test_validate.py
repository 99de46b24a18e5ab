"""Errors on the records that a parameter set has not seen, whatever its training kept together."""

from dataclasses import replace

import pytest
from molecules import distorted
from teacher import lesson, named_in
from tiny import write_tiny_parameters

from mlsemi.errors import ParameterError
from mlsemi.parameters import Parameters
from mlsemi.training.calibration.validate import select, validate
from mlsemi.training.data.dataset import ReferenceDataset, frame_split_of


@pytest.fixture
def setup(tmp_path):
    """A parameter set trained on frames, and thirty frames of one training molecule."""
    plain = Parameters.load(write_tiny_parameters(tmp_path / "tiny"))
    (molecule,) = named_in("train", 1)
    records = tuple(
        lesson(plain.model, distorted("H2O", seed=n), molecule, f"w{n}") for n in range(30)
    )
    dataset = ReferenceDataset(records)
    dataset.save(tmp_path / "frames.h5")
    framed = replace(plain, header=plain.header | {"training": {"split": "frame"}})
    framed.save(tmp_path / "framed")
    return tmp_path, dataset


def test_frames_of_training_are_not_called_validation(setup, capsys):
    folder, dataset = setup
    expected = [r for r in dataset if frame_split_of(r) == "validation"]
    assert 0 < len(expected) < 15
    found = validate(str(folder / "framed"), [folder / "frames.h5"], "validation")
    assert found["structures"] == len(expected)
    assert "(validation, frames)" in capsys.readouterr().out
    with pytest.raises(ParameterError, match="no structure of split 'validation'"):
        validate(str(folder / "tiny"), [folder / "frames.h5"], "validation")


def test_splits_make_up_the_whole(setup):
    _, dataset = setup
    parts = [select(dataset, name, ["H", "O"], "frame") for name in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(select(dataset, "all", ["H", "O"], "frame")) == 30
    assert all(parts)
