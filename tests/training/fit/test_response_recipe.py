"""A recipe without stages: constants of the response for a finished set."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from mlsemi.errors import InputError
from mlsemi.parameters import Parameters
from mlsemi.training.calibration import response_fit
from mlsemi.training.calibration.response_fit import with_fitted_response
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.data.vertical import load_vertical
from mlsemi.training.fit.estimate import dry_run
from mlsemi.training.fit.recipe import Recipe
from mlsemi.training.fit.run import train

PARAMETERS = Path(__file__).parents[3] / "parameters"


def test_a_recipe_without_stages_gives_a_finished_set_its_response(tmp_path, monkeypatch):
    """The same as the fit itself, and nothing else is new: committee, constants, weights."""
    monkeypatch.setattr(response_fit, "STEPS", 2)
    reference = PARAMETERS / "reference"
    every = ReferenceDataset.load(reference / "ions-2.h5")
    few = sorted(every, key=lambda record: record.structure.n_atom)[:3]
    ReferenceDataset(tuple(few), every.provenance).save(tmp_path / "ions.h5")
    named = json.loads((reference / "vertical.json").read_text())
    small = sorted(named, key=lambda key: len(named[key]["numbers"]))[3:5]
    (tmp_path / "vertical.json").write_text(json.dumps({key: named[key] for key in small}))
    text = (PARAMETERS / "organic-1.0r.toml").read_text()
    text = re.sub("^files.*?^]", 'files = ["ions.h5", "vertical.json"]', text, flags=re.M | re.S)
    text = text.replace("reference/excluded.txt", str(reference / "excluded.txt"))
    path = tmp_path / "response.toml"
    path.write_text(text)
    before = dry_run(path, Console(quiet=True)).missing
    made = train(path, quiet=True)
    start = Parameters.load("organic-1.0")
    ions, opened = ReferenceDataset.load(tmp_path / "ions.h5"), tmp_path / "vertical.json"
    expected = with_fitted_response(start, ions, load_vertical(opened))
    loaded = Parameters.load(tmp_path / made.name)
    assert loaded.name == made.name == "organic-1.0r"
    assert loaded.checksum == expected.checksum != start.checksum
    assert loaded.model.form == expected.model.form
    for name, value in expected.model.weights.items():
        np.testing.assert_array_equal(loaded.model.weights[name], value)
    assert loaded.header["response_fit"] == expected.header["response_fit"]
    for entry in ("errors", "excitation", "committee"):
        assert loaded.header[entry] == start.header[entry]
    np.testing.assert_array_equal(loaded.committee.shifts, start.committee.shifts)
    assert Recipe.load(tmp_path / made.name / "recipe.toml").stage == ()
    assert not list(tmp_path.glob("*.run"))
    assert before == [f"missing: {tmp_path / made.name}"]
    assert not [line for line in dry_run(path, Console(quiet=True)).missing if "missing" in line]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('start = "organic-1.0"', "", "without a stage contacts and the response alone"),
        ('targets = ["response"]', "", "without a stage contacts and the response alone"),
        ('targets = ["response"]', 'head = "own"\ntargets = ["response"]', "the response alone"),
        ('targets = ["response"]', 'targets = ["response"]\nshare = [1.0]', "for 0 stages"),
        (
            "stage = []",
            "stage = []\nmodel = {n_channel = 16}",
            "the form is that of the set to start",
        ),
    ],
)
def test_without_stages_nothing_else_can_be_asked_for(tmp_path, old, new, text):
    recipe = (PARAMETERS / "organic-1.0r.toml").read_text().replace(old, new)
    recipe = recipe.replace("reference/", f"{PARAMETERS / 'reference'}/")
    (tmp_path / "mine.toml").write_text(recipe)
    with pytest.raises(InputError, match=text):
        train(tmp_path / "mine.toml", quiet=True)
    assert not list(tmp_path.glob("organic*"))
