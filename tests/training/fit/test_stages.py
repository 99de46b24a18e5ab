"""A whole run, constants between its two stages: restarted anywhere, it gives the same bits."""

import json
from dataclasses import replace

import numpy as np
import pytest
from molecules import distorted, gapped_model, parameters_of
from teacher import excited_lesson, named_in
from test_run import killed_after, same_bits
from typer.testing import CliRunner

from mlsemi.cli import app
from mlsemi.errors import InputError
from mlsemi.excited.constants import ExcitationParameters
from mlsemi.parameters import Parameters
from mlsemi.training.calibration import excitation_fit
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.fit import run as run_module
from mlsemi.training.fit.estimate import dry_run
from mlsemi.training.fit.recipe import Recipe
from mlsemi.training.fit.run import train

RECIPE = """
name = "student"
seed = 1
committee = 4
[model]
cutoff = 6.5
n_radial = 4
n_channel = 3
n_node = 2
n_hidden = 4
[[source]]
files = ["lessons.h5"]
[[source]]
files = ["lessons.h5"]
head = "shifted"
share = [[0.0, 1.0], 0.5]
[[source]]
files = ["lessons.h5"]
targets = ["constants", "excitations"]
share = [0.0, 0.5]
[[source]]
files = ["ris.h5"]
targets = ["moments"]
[[stage]]
epochs = 3
batch = 4
learning_rate = 1e-3
[[stage]]
epochs = 2
batch = 8
learning_rate = 1e-3
"""
STRUCTURES = tuple(distorted(name, seed=k) for k, name in enumerate(("H2CO", "HCN", "C2H4")))


@pytest.fixture(scope="module", autouse=True)
def short_fits():
    """Two steps are enough for constants that only have to differ."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(excitation_fit, "MAX_STEPS", 2)
        yield


@pytest.fixture(scope="module")
def data():
    """Lessons with full states; the same with TDA-ris singlets."""
    teacher = parameters_of(gapped_model(STRUCTURES))
    names = named_in("train", 5) + named_in("validation", 2) + named_in("test", 1)
    full = [
        excited_lesson(teacher, STRUCTURES[k % 3], name, ExcitationParameters(ax=0.4))
        for k, name in enumerate(names)
    ]
    ris = [
        replace(
            r,
            singlet_energies=None,
            singlet_transitions=None,
            singlet_strengths=None,
            triplet_energies=None,
            triplet_transitions=None,
            ris_energies=r.singlet_energies,
            ris_transitions=r.singlet_transitions,
            ris_strengths=1.5 * r.singlet_strengths,
        )
        for r in full
    ]
    return tuple(full), tuple(ris)


def place(folder, data, text=RECIPE):
    folder.mkdir()
    level = {"level": {"method": "b3lyp", "basis": "def2-tzvp"}}
    for name, records in zip(("lessons", "ris"), data, strict=True):
        ReferenceDataset(records, level).save(folder / f"{name}.h5")
    (folder / "student.toml").write_text(text)
    return folder / "student.toml"


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data):
    path = place(tmp_path_factory.mktemp("stages") / "whole", data)
    return path, train(path, quiet=True)


def test_a_run_does_everything(whole):
    path, made = whole
    found = Parameters.load(path.parent / "student")
    same_bits(found, made)
    assert found.calibrated
    assert found.excitation.ax != ExcitationParameters().ax
    assert found.excitation.moment != 1.0
    about = found.header["excitation_fit"]
    assert {"errors", "strengths"} <= set(about)
    assert {"singlets", "homo"} <= set(found.committee.calibration)
    assert [stage["epochs"] for stage in found.header["training"]["stages"]] == [3, 2]
    assert set(found.header["errors"]) == {"train", "validation", "test"}
    assert Recipe.load(path.parent / "student" / "recipe.toml").elements == ("H", "C", "N", "O")
    first = Parameters.load(path.parent / "student.run" / "stage-1")
    assert first.excitation != found.excitation


def test_killed_between_any_two_steps_it_goes_on(whole, data, tmp_path, monkeypatch):
    """In a stage, before its constants, before the release: the same bits, nothing done twice."""
    path = place(tmp_path / "broken", data)
    output = path.parent / "student"
    killed_after(monkeypatch, 2, lambda: train(path, quiet=True))
    for name in ("with_fitted_excitations", "release"):
        with monkeypatch.context() as patch:
            patch.setattr(run_module, name, lambda *_, **__: json.loads("killed"))
            with pytest.raises(json.JSONDecodeError):
                train(path, quiet=True)
        assert not output.exists()
    missing = dry_run(path).missing
    assert len(missing) == 1
    assert "with committee and errors" in missing[0]
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "with_fitted_excitations", None)  # they are there already
        same_bits(train(path, quiet=True), whole[1])


def test_another_second_stage_keeps_the_first(whole, data, tmp_path, monkeypatch):
    path = place(tmp_path / "later", data)
    train(path, quiet=True)
    path.write_text(RECIPE.replace("epochs = 2", "epochs = 1"))
    (path.parent / "student.run" / "stage-2.npz").unlink()
    fitted = []
    fit = run_module.with_fitted_excitations
    monkeypatch.setattr(
        run_module, "with_fitted_excitations", lambda *some: fitted.append(1) or fit(*some)
    )
    other = train(path, quiet=True)
    assert len(fitted) == 1
    assert other.checksum != whole[1].checksum


def test_dry_run_says_what_it_takes(whole, data, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    path = place(tmp_path / "dry", data)
    result = CliRunner().invoke(app, ["train", str(path), "--dry-run"])
    assert result.exit_code == 0, result.output
    for text in ("shifted", "constants excitations", "0-1 0.5", "stage 2: about", "GB",
                 "missing: epochs 1 to 3 of stage-1", "with committee"):  # fmt: skip
        assert text in result.output
    assert not (path.parent / "student.run").exists()
    found = dry_run(whole[0])
    assert not found.missing
    assert 0.1 < found.gigabytes < 20.0
    assert all(0.0 < seconds < 600.0 for seconds in found.seconds)


def test_no_constants_no_excitations(data, tmp_path):
    """What has no constants is said before anything is trained, and never replaced in silence."""
    text = RECIPE.replace('targets = ["constants", "excitations"]', 'targets = ["excitations"]')
    path = place(tmp_path / "none", data, text)
    with pytest.raises(InputError, match="need its fitted constants"):
        train(path, quiet=True)
    path.write_text(text.replace("share = [0.0, 0.5]", "share = 0.0"))
    assert any("published constants" in line for line in dry_run(path).missing)


def test_shares_rise_within_a_stage(whole):
    """Of the second source nothing is drawn in the first epoch."""
    rows = np.load(whole[0].parent / "student.run" / "stage-1.npz")
    history = json.loads(str(rows["meta"]))["history"]
    assert history[0]["other_loss"] == 0.0
    assert history[1]["other_loss"] > 0.0


BONDED = """
name = "apart"
start = "teacher"
elements = ["H", "C", "N", "O"]
committee = 0
[model]
cutoff = 6.5
n_radial = 4
n_channel = 3
n_node = 2
n_hidden = 4
bonded = true
[[source]]
files = ["lessons.h5"]
targets = ["energy", "forces", "multipoles"]
[[source]]
files = ["lessons.h5"]
head = "shifted"
targets = ["energy", "forces"]
[[stage]]
epochs = 1
batch = 4
only = ["bonded.", "flow.", "contact."]
"""


def test_a_set_gets_an_energy_that_sees_one_molecule(data, tmp_path):
    """H and its constants stay to the bit; everything of the energy has moved."""
    path = place(tmp_path / "bonded", data, BONDED)
    teacher = parameters_of(gapped_model(STRUCTURES))
    teacher.with_excitation(ExcitationParameters(ax=0.4), {}).save(path.parent / "teacher")
    made = train(path, quiet=True)
    assert made.excitation.ax == 0.4
    before, after = teacher.model.weights, made.model.weights
    for name in set(before) & set(after):
        if not name.startswith("domain."):
            np.testing.assert_array_equal(before[name], after[name])
    assert (after["bonded.density.0"] != before["density.0"]).any()
    assert after["flow.dipole"].any()
    plain = place(tmp_path / "plain", data, BONDED.replace("bonded = true", ""))
    teacher.save(plain.parent / "teacher")
    with pytest.raises(InputError, match="bonded = true"):
        train(plain, quiet=True)
