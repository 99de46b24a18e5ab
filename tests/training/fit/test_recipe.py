"""The recipe: every entry arrives, every mistake is one line that says what to do."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from molecules import SMALL

from mlsemi.errors import InputError
from mlsemi.training.fit.recipe import FORMER, Recipe, Stage
from mlsemi.training.objective.loss import TERMS, LossWeights

GOOD = """
name = "small"
seed = 3
elements = ["H", "C", "N", "O"]
[model]
n_channel = 3
cutoff = 7
[[source]]
files = ["data.h5"]
[[source]]
files = ["cheap.h5"]
head = "own"
share = [[1.0, 0.0], 0.5]
[[source]]
files = ["near.h5", "nearer.h5"]
head = "shifted"
targets = ["energy", "forces"]
weight = [0.5, 1]
[[stage]]
epochs = 4
[stage.loss]
occupied = 2.0
[[stage]]
epochs = 2
"""


def load(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Recipe.load(path)


def test_entries_arrive(tmp_path):
    recipe = load(tmp_path, GOOD)
    first, own, shifted = recipe.source
    assert (recipe.name, recipe.seed, first.files) == ("small", 3, ("data.h5",))
    assert [stage.epochs for stage in recipe.stage] == [4, 2]
    assert recipe.stage[0].loss == LossWeights(occupied=2.0)
    assert (first.head, own.head, shifted.head) == ("model", "own", "shifted")
    assert [own.at("share", k) for k in (0, 1)] == [(1.0, 0.0), (0.5, 0.5)]
    assert [shifted.at("weight", k) for k in (0, 1)] == [(0.5, 0.5), (1.0, 1.0)]
    assert first.at("share", 1) == (1.0, 1.0)
    assert shifted.targets == ("energy", "forces")
    assert recipe.form().n_channel == 3
    assert recipe.form().elements == SMALL.elements
    assert recipe.with_stage(epochs=9).stage[1].epochs == 9
    assert recipe.folder(tmp_path) == tmp_path / "small"


def test_the_resolved_recipe_is_a_recipe(tmp_path):
    recipe = load(tmp_path, GOOD)
    assert Recipe.of_mapping(recipe.plain()) == recipe


def test_the_first_stages_alone(tmp_path):
    """What comes later does not decide how a run begins."""
    recipe = load(tmp_path, GOOD)
    first = recipe.until(0)
    assert first.stage == recipe.stage[:1]
    assert first.source[1].share == ((1.0, 0.0),)
    later = load(tmp_path, GOOD.replace("epochs = 2", "epochs = 7").replace(", 0.5]", ", 0.7]"))
    assert later.until(0) == first
    assert later != recipe


PARAMETERS = Path(__file__).parents[3] / "parameters"


@pytest.mark.parametrize("path", sorted(PARAMETERS.glob("*.toml")), ids=lambda path: path.stem)
def test_released_recipes_are_read(path):
    recipe = Recipe.load(path)
    assert re.fullmatch(rf"{re.escape(path.stem)}(\.\d+)?", recipe.folder(path.parent).name)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('name = "small"', "", "name: Field required"),
        ('files = ["data.h5"]', "", "source 1 files: Field required"),
        ('files = ["data.h5"]', "files = []", "source 1 files"),
        ('files = ["data.h5"]', 'files = "data.h5"', "source 1 files = 'data.h5'"),
        ("seed = 3", "sead = 3", "sead = 3"),
        ("seed = 3", "seed = ", "line"),
        ("seed = 3", "seed = -1", "seed = -1"),
        ("seed = 3", 'seed = "three"', "seed = 'three'"),
        ("seed = 3", "threads = 0", "threads = 0"),
        ("seed = 3", "committee = -1", "committee = -1"),
        ("seed = 3", 'split = "atom"', "split = 'atom'"),
        ("occupied = 2.0", "force_width = 0.0", "force_width = 0"),
        ('["H", "C", "N", "O"]', '["H", "Xy"]', "'Xy'"),
        ('["H", "C", "N", "O"]', '["H", 6]', "elements 2 = 6"),
        ('["H", "C", "N", "O"]', '["H", "H"]', "each once"),
        ('["H", "C", "N", "O"]', '["H", "Fe"]', "Fe has no valence basis"),
        ("n_channel = 3", "n_chanel = 3", "n_chanel"),
        ("n_channel = 3", "n_channel = 0", "n_channel = 0"),
        ("n_channel = 3", "n_channel = 2.5", "n_channel = 2.5"),
        ("cutoff = 7", "cutoff = -7.0", "cutoff = -7.0"),
        ("cutoff = 7", "cutoff = nan", "cutoff = nan"),
        ("cutoff = 7", "cutoff = true", "cutoff = True"),
        ("cutoff = 7", 'kind = "cubic"', "nonlinear, linear, kernel"),
        ("cutoff = 7", "nu = 5", "nu = 5"),
        ("epochs = 4", "patience = 1.5", "stage 1 patience = 1.5"),
        ("occupied = 2.0", "occupid = 2.0", "stage 1 loss occupid"),
        ("occupied = 2.0", 'occupied = "high"', "occupied = 'high'"),
        ("epochs = 4", "epoch = 4", "stage 1 epoch = 4"),
        ("epochs = 4", "epochs = 0", "stage 1 epochs = 0"),
        ("epochs = 4", "epochs = true", "stage 1 epochs = True"),
        ("epochs = 4", "batch = -2", "batch = -2"),
        ('head = "own"', 'head = "auxiliary"', "'model', 'shifted' or 'own'"),
        ('head = "own"', 'head = "own"\ntargets = ["level"]', "'level'"),
        ('head = "own"', 'head = "own"\ntargets = ["interaction"]', "does not learn"),
        ("[[1.0, 0.0], 0.5]", "[1.0]", "cheap.h5: share has 1 entries for 2 stages"),
        ("[[1.0, 0.0], 0.5]", "[1.0, -0.5]", "share"),
        ("[[1.0, 0.0], 0.5]", '"much"', "share = 'much'"),
        ('files = ["data.h5"]', 'files = ["data.h5"]\nhead = "own"', "is the reference"),
        ('files = ["data.h5"]', 'files = ["data.h5"]\ntargets = ["excitations"]', "reference"),
        ("[[stage]]\nepochs = 2", "[stage]\nepochs = 2", "stage"),
        ("[model]\nn_channel = 3\ncutoff = 7", "model = 3", "model = 3"),
    ],
)
def test_mistakes_are_named_in_one_line(tmp_path, old, new, text):
    assert old in GOOD
    changed = GOOD.replace(old, new)
    with pytest.raises(InputError) as caught:
        load(tmp_path, changed)
    line = str(caught.value)
    assert "recipe.toml" in line
    assert "\n" not in line
    assert text in line


@pytest.mark.parametrize("key", FORMER)
def test_entries_of_earlier_recipes_name_the_new_ones(tmp_path, key):
    with pytest.raises(InputError, match=f"{key} is now .*(source|stage)"):
        load(tmp_path, f"{key} = 1\n{GOOD}")


def test_one_source_of_constants(tmp_path):
    twice = '[[source]]\nfiles = ["x.h5"]\ntargets = ["constants"]\n' * 2
    with pytest.raises(InputError, match="constants are fitted to one"):
        load(tmp_path, GOOD.replace("[[stage]]", twice + "[[stage]]", 1))


def test_a_committee_may_be_left_out(tmp_path):
    assert load(tmp_path, GOOD).committee > 0
    assert load(tmp_path, GOOD.replace("seed = 3", "committee = 0")).committee == 0


def test_three_lines_are_a_recipe(tmp_path):
    recipe = load(tmp_path, 'name = "mine"\n[[source]]\nfiles = ["molecules.h5"]')
    assert recipe.stage == (Stage(),)


def test_files_that_are_no_toml(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.toml"):
        Recipe.load(tmp_path / "nowhere.toml")
    with pytest.raises(InputError, match=r"recipe\.toml"):
        load(tmp_path, b"\xff\xfe\x00name")
    with pytest.raises(InputError):
        Recipe.load(tmp_path)


def test_weights_of_some_targets():
    weights = LossWeights(forces=3.0)
    forces = weights.of({"forces"})
    assert (forces.forces, forces.force_width) == (3.0, weights.force_width)
    assert all(getattr(forces, t) == 0.0 for some in TERMS.values() for t in some if t != "forces")
    assert weights.of(TERMS) == weights


def test_learning_rate_warms_up_stays_and_decays():
    stage = Stage(learning_rate=1.0, final_fraction=0.01, warmup_steps=10, flat=0.3)
    rates = [stage.rate(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:30] == [1.0] * 21
    assert all(a > b for a, b in pairwise(rates[30:]))
    assert stage.rate(100, 100) == pytest.approx(0.01)


GUIDE = Path(__file__).parents[3] / "docs" / "training.md"


def recipes():
    """Recipes of the guide, whole or in parts."""
    return re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL) if GUIDE.exists() else []


@pytest.mark.parametrize("text", recipes())
def test_recipes_of_the_guide_are_read(tmp_path, text):
    """Those that are no whole recipe show defaults."""
    whole = "name = " in text
    recipe = load(tmp_path, text if whole else f"{recipes()[0]}\n{text}")
    assert recipe.name == "mine"
    assert whole or recipe == load(tmp_path, recipes()[0])
