import re
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
from molecules import SMALL

from mlsemi.errors import InputError
from mlsemi.training.fit.config import Auxiliary, Close, Schedule, TrainConfig
from mlsemi.training.objective.loss import LossWeights

GOOD = """
name = "small"
datasets = ["data.h5"]
output = "out"
seed = 3
[model]
n_channel = 3
cutoff = 7
[loss]
occupied = 2.0
[schedule]
epochs = 4
[[auxiliary]]
file = "cheap.h5"
[[close]]
datasets = ["near.h5", "nearer.h5"]
share = 0.5
"""


def load(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return TrainConfig.load(path)


def test_entries_arrive(tmp_path):
    config = load(tmp_path, GOOD)
    assert (config.name, config.datasets, config.seed) == ("small", ("data.h5",), 3)
    assert config.loss.occupied == 2.0
    assert config.schedule.epochs == 4
    assert config.auxiliary == (Auxiliary("cheap.h5"),)
    assert config.close == (Close(("near.h5", "nearer.h5"), 0.5),)
    assert config.form().n_channel == 3
    assert config.form().elements == SMALL.elements
    assert config.with_changes(epochs=9, seed=5).schedule.epochs == 9


GUIDE = Path(__file__).parents[3] / "docs" / "training.md"
NEEDED = 'name = "x"\ndatasets = ["x.h5"]\noutput = "x"\n'


def recipes():
    """Recipes of the guide, whole or in parts."""
    return re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL) if GUIDE.exists() else []


@pytest.mark.skipif(not recipes(), reason="the guide is not here")
def test_the_guide_shows_the_defaults(tmp_path):
    whole = recipes()[0]
    shown = load(tmp_path, whole)
    default = load(tmp_path, whole.partition("elements")[0])
    assert asdict(shown) | {"model": {}} == asdict(default)
    assert shown.form() == default.form()
    assert shown.model


@pytest.mark.parametrize("recipe", recipes()[1:])
def test_recipes_of_the_guide_are_read(tmp_path, recipe):
    assert load(tmp_path, NEEDED + recipe).name == "x"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('name = "small"', "", "name"),
        ('datasets = ["data.h5"]', "", "datasets"),
        ("seed = 3", "sead = 3", "unknown entries sead"),
        ("seed = 3", "seed = ", "line"),
        ("seed = 3", "seed = -1", "seed = -1"),
        ("seed = 3", 'seed = "three"', "seed = 'three'"),
        ("seed = 3", "threads = 0", "threads = 0"),
        ("seed = 3", "committee = -1", "committee = -1"),
        ("seed = 3", 'split = "atom"', "split = 'atom'"),
        ("[loss]", "[loss]\nforce_width = 0.0", "force_width = 0"),
        ("seed = 3", 'elements = ["H", "Xy"]', "'Xy'"),
        ("seed = 3", 'elements = ["H", 6]', "elements"),
        ('["data.h5"]', '"data.h5"', "datasets = 'data.h5'"),
        ("n_channel = 3", "n_chanel = 3", "n_chanel"),
        ("n_channel = 3", "n_channel = 0", "n_channel = 0"),
        ("n_channel = 3", "n_channel = 2.5", "n_channel = 2.5"),
        ("cutoff = 7", "cutoff = -7.0", "cutoff = -7.0"),
        ("cutoff = 7", "cutoff = nan", "cutoff = nan"),
        ("cutoff = 7", "cutoff = 0.0", "cutoff = 0.0"),
        ("cutoff = 7", "cutoff = true", "cutoff = True"),
        ("seed = 3", "elements = []", "elements"),
        ("seed = 3", 'elements = ["H", "H"]', "each once"),
        ("seed = 3", 'elements = ["H", "Fe"]', "Fe has no valence basis"),
        ("cutoff = 7", 'kind = "cubic"', "nonlinear, linear, kernel"),
        ("cutoff = 7", "nu = 5", "nu = 5"),
        ("cutoff = 7", "message_passing = 1", "message_passing = 1"),
        ("epochs = 4", "patience = 1.5", "patience = 1.5"),
        ("occupied = 2.0", "occupid = 2.0", "occupid"),
        ("occupied = 2.0", 'occupied = "high"', "occupied = 'high'"),
        ("epochs = 4", "epoch = 4", "epoch"),
        ("epochs = 4", "epochs = 0", "epochs = 0"),
        ("epochs = 4", "epochs = true", "epochs = True"),
        ("epochs = 4", "batch = -2", "batch = -2"),
        ('file = "cheap.h5"', "share = 1.0", "file"),
        ("share = 0.5", "share = -0.5", "share = -0.5"),
        ('datasets = ["near.h5", "nearer.h5"]', 'datasets = "near.h5"', "datasets = 'near.h5'"),
        ("[[close]]", "[close]", "[[close]]"),
        ("[model]\nn_channel = 3\ncutoff = 7", "model = 3", "mapping"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path, old, new, text):
    assert old in GOOD
    changed = GOOD.replace(old, new)
    with pytest.raises(InputError) as caught:
        load(tmp_path, changed)
    line = str(caught.value)
    assert "config.toml" in line
    assert "\n" not in line
    assert text in line


def test_a_committee_may_be_left_out(tmp_path):
    assert load(tmp_path, GOOD).committee > 0
    assert load(tmp_path, GOOD.replace("seed = 3", "committee = 0")).committee == 0


def test_tables_may_be_left_out(tmp_path):
    config = load(tmp_path, GOOD.partition("[model]")[0])
    assert (config.loss, config.schedule) == (LossWeights(), Schedule())


def test_files_that_are_no_toml(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.toml"):
        TrainConfig.load(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match=r"config\.toml"):
        load(tmp_path, b"\xff\xfe\x00name")
    with pytest.raises(InputError):
        TrainConfig.load(tmp_path)


def test_learning_rate_warms_up_stays_and_decays():
    schedule = Schedule(learning_rate=1.0, final_fraction=0.01, warmup_steps=10, flat=0.3)
    rates = [schedule.rate(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:30] == [1.0] * 21
    assert all(a > b for a, b in pairwise(rates[30:]))
    assert schedule.rate(100, 100) == pytest.approx(0.01)
