"""Training runs on lessons of a random teacher: they learn, and a restart changes no bit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from molecules import SMALL, distorted, moved, random_model
from teacher import lesson, lessons

from mlsemi.errors import ConvergenceError, InputError, ParameterError
from mlsemi.model.catalogue import weights_of
from mlsemi.parameters import Parameters
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.fit import batches
from mlsemi.training.fit import run as run_module
from mlsemi.training.fit.checkpoint import TrainState
from mlsemi.training.fit.recipe import Recipe, Stage
from mlsemi.training.fit.regression import initial_model
from mlsemi.training.fit.run import fit, train
from mlsemi.training.fit.sources import frames_limited, molecules_limited, parts_of
from mlsemi.training.fit.trainer import is_finished
from mlsemi.training.objective.evaluation import batch_loss, evaluate_model, summarise
from mlsemi.training.objective.loss import Errors, LossWeights, Target

EPOCHS = 4
CONFIG = f"""
name = "student"
seed = 1
[model]
cutoff = {SMALL.cutoff}
n_radial = {SMALL.n_radial}
n_channel = {SMALL.n_channel}
n_node = {SMALL.n_node}
n_hidden = {SMALL.n_hidden}
[[source]]
files = ["lessons.h5"]
[[stage]]
epochs = {EPOCHS}
batch = 4
warmup_steps = 2
learning_rate = 0.004
flat = 0.3
beta2 = 0.99
force_share = 0.6
"""


class Killed(Exception):
    """Stands for a power cut."""


@pytest.fixture(scope="module")
def dataset():
    return lessons(random_model(seed=12))


def place(folder, dataset, text=CONFIG):
    """A folder with a configuration and its dataset; returns the path of the configuration."""
    folder.mkdir()
    dataset.save(folder / "lessons.h5")
    (folder / "config.toml").write_text(text)
    return folder / "config.toml"


def killed_after(monkeypatch, n_epoch, run):
    """Run until ``n_epoch`` epochs are reported, then die."""
    update = run_module.TrainingDisplay.update

    def dying(self, row):
        update(self, row)
        if self.epoch == n_epoch:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(run_module.TrainingDisplay, "update", dying)
        with pytest.raises(Killed):
            run()


def same_bits(one, two):
    assert one.checksum == two.checksum
    assert set(one.model.weights) == set(two.model.weights)
    for name, value in one.model.weights.items():
        assert value.tobytes() == two.model.weights[name].tobytes(), name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, dataset):
    path = place(tmp_path_factory.mktemp("runs") / "whole", dataset)
    return path, train(path, quiet=True)


def last_state(path):
    """Final state of a run, from its checkpoint."""
    checkpoint = path.parent / "student.run" / "stage-1.npz"
    with np.load(checkpoint) as data:
        stamp = json.loads(str(data["meta"]))["stamp"]
    return TrainState.load(checkpoint, stamp)


def test_loss_falls(uninterrupted):
    rows = last_state(uninterrupted[0]).history
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    assert rows[-1]["validation_loss"] < rows[0]["validation_loss"]
    assert all(np.isfinite(value) for row in rows for value in row.values())


def test_result_is_the_best_epoch_and_is_written(uninterrupted, dataset):
    path, fitted = uninterrupted
    written = Parameters.load(path.parent / "student")
    same_bits(written, fitted)
    validation = [Target(r) for r in ReferenceDataset.load(path.parent / "lessons.h5").split(
        "validation"
    )]  # fmt: skip
    errors = evaluate_model(fitted.model, validation, LossWeights())
    best = min(last_state(path).history, key=lambda row: row["validation_loss"])
    assert errors["loss"] == pytest.approx(best["validation_loss"], rel=1e-10)
    training = written.header["training"]
    assert training["structures"] == 12
    assert training["stages"] == [{"epochs": EPOCHS, "best_epoch": best["epoch"]}]
    assert Recipe.load(path.parent / "student" / "recipe.toml").plain() == training["recipe"]
    assert (path.parent / "student" / "training.png").stat().st_size > 1000


@pytest.mark.parametrize("n_epoch", [2, 4])
def test_killed_and_restarted_run_gives_the_same_bits(
    uninterrupted, dataset, tmp_path, monkeypatch, n_epoch
):
    path = place(tmp_path / "broken", dataset)
    killed_after(monkeypatch, n_epoch, lambda: train(path, quiet=True))
    assert not (path.parent / "student" / "weights.npz").exists()
    same_bits(train(path, quiet=True), uninterrupted[1])
    assert last_state(path).history == last_state(uninterrupted[0]).history


def test_threads_do_not_change_the_result(uninterrupted, dataset, tmp_path):
    path = place(tmp_path / "threads", dataset, "threads = 2\n" + CONFIG)
    same_bits(train(path, quiet=True), uninterrupted[1])


def test_seed_changes_the_result(uninterrupted, dataset, tmp_path):
    path = place(tmp_path / "seed", dataset, CONFIG.replace("seed = 1", "seed = 2"))
    recipe = Recipe.load(path).with_stage(epochs=1)
    other = fit(recipe, path.parent, quiet=True)
    assert other.checksum != uninterrupted[1].checksum


def test_fresh_run_ignores_the_checkpoint(uninterrupted, dataset, tmp_path, monkeypatch):
    path = place(tmp_path / "fresh", dataset)
    killed_after(monkeypatch, 1, lambda: train(path, quiet=True))
    same_bits(train(path, resume=False, quiet=True), uninterrupted[1])


def test_checkpoint_of_another_run_is_refused(dataset, tmp_path, monkeypatch):
    path = place(tmp_path / "other", dataset)
    killed_after(monkeypatch, 1, lambda: train(path, quiet=True))
    path.write_text(CONFIG.replace("0.004", "0.02"))
    with pytest.raises(ParameterError, match="another recipe"):
        train(path, quiet=True)


@pytest.mark.parametrize("kept", [0.0, 0.4, 0.99])
def test_damaged_checkpoint_is_refused(uninterrupted, tmp_path, kept):
    data = (uninterrupted[0].parent / "student.run" / "stage-1.npz").read_bytes()
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(ParameterError, match="damaged"):
        TrainState.load(path, "")


def test_checkpoint_round_trip(tmp_path):
    state = TrainState.start(random_model(), seed=3)
    state.step, state.history = 7, [{"loss": 0.1 + 0.2}]
    state.moments = {"level:first": np.arange(3.0)}
    state.save(tmp_path / "state.npz", "stamp")
    back = TrainState.load(tmp_path / "state.npz", "stamp")
    assert (back.step, back.history, back.rng) == (7, state.history, state.rng)
    for group in ("weights", "averaged", "best", "moments"):
        one, two = getattr(state, group), getattr(back, group)
        assert set(one) == set(two)
        assert all(one[name].tobytes() == two[name].tobytes() for name in one)


def test_dataset_without_a_split_is_refused(tmp_path, dataset):
    only_train = ReferenceDataset(dataset.split("train").records, dataset.provenance)
    path = place(tmp_path / "half", only_train)
    with pytest.raises(ParameterError, match="no validation"):
        train(path, quiet=True)


def test_missing_dataset_is_refused(tmp_path, dataset):
    path = place(tmp_path / "none", dataset)
    (path.parent / "lessons.h5").unlink()
    with pytest.raises(ParameterError, match=r"lessons\.h5"):
        train(path, quiet=True)


def test_only_a_part_is_trained(tmp_path, dataset):
    """Weights that are not named keep their start values."""
    text = CONFIG + 'only = ["level", "two_center"]\n'
    path = place(tmp_path / "part", dataset, text)
    train(path, quiet=True)
    state = last_state(path)
    moved = {key.removesuffix(":first") for key in state.moments if key.endswith(":first")}
    assert moved == {"level", "two_center"}


def test_learning_curve_takes_whole_molecules(dataset):
    records = [r for record in dataset for r in (record, replace(record, label="again"))]
    for limit in (1, 5):
        some = molecules_limited(records, limit, seed=0)
        assert len({r.molecule for r in some}) == limit
        assert len(some) == 2 * limit
    assert molecules_limited(records, 0, seed=0) == records
    assert molecules_limited(records, 10**6, seed=0) == records


def test_summary_of_molecules_without_virtuals():
    """A mean over nothing is not a number, and not a warning either."""
    full = Errors(np.array([0.1]), 0.1, float("nan"), np.zeros(0), np.array([0.1]), np.ones(3), 0.2)
    row = summarise([1.0], [full])
    assert np.isnan(row["lumo_ev"])
    assert row["loss"] == 1.0
    assert "forces_ev_per_angstrom" not in row
    moved = full._replace(forces=np.full((2, 3), -1e-3))
    assert summarise([1.0, 1.0], [full, moved])["forces_ev_per_angstrom"] == pytest.approx(
        0.0514221, rel=1e-5
    )


def test_forces_are_learnt_and_recorded(uninterrupted, dataset, tmp_path):
    """Forces are part of the header; records without them train all the same."""
    fitted = uninterrupted[1]
    (stage,) = fitted.header["training"]["recipe"]["stage"]
    assert (stage["loss"]["forces"], stage["force_share"]) == (1.0, 0.6)
    assert fitted.header["errors"]["train"]["forces_ev_per_angstrom"] > 0.0
    longer = CONFIG.replace(f"epochs = {EPOCHS}", f"epochs = {8 * EPOCHS}")
    path = place(tmp_path / "longer", dataset, longer)
    long = train(path, quiet=True)
    rows = last_state(path).history
    name = "forces_ev_per_angstrom"
    assert rows[-1][f"validation_{name}"] < 0.7 * rows[0][f"validation_{name}"]
    bare = ReferenceDataset(tuple(replace(r, forces=None) for r in dataset), dataset.provenance)
    without = train(place(tmp_path / "bare", bare, longer), quiet=True)
    assert "forces_ev_per_angstrom" not in without.header["errors"]["train"]
    with_forces, blind = (
        evaluate_model(p.model, [Target(r) for r in dataset], LossWeights())[name]
        for p in (long, without)
    )
    assert with_forces < 0.9 * blind


FORM_LINES = {
    "nonlinear": "",
    "nu3": "nu = 3",
    "local": "message_passing = false\nlong_range = false",
    "linear": 'kind = "linear"',
    "kernel": 'kind = "kernel"\nn_sparse = 2',
}


@pytest.mark.parametrize("kind", FORM_LINES)
def test_every_kind_of_model_is_trained(kind, tmp_path, dataset, monkeypatch):
    """Ridge, then epochs; killed in between it goes on; what is fixed stays as it was."""
    text = CONFIG.replace("[model]", f"[model]\n{FORM_LINES[kind]}")
    text = text.replace(f"epochs = {EPOCHS}", "epochs = 2\nridge_steps = 3")
    text = text.replace("0.004", "0.001")
    path = place(tmp_path / kind, dataset, text)
    killed_after(monkeypatch, 1, lambda: train(path, quiet=True))
    fitted = train(path, quiet=True)
    form = fitted.model.form
    loaded = Parameters.load(path.parent / "student")
    same_bits(loaded, fitted)
    assert loaded.model.form == form
    assert loaded.committee.checksum == fitted.committee.checksum
    assert loaded.committee.calibration["homo"].factor > 0.0
    records = [r for r in dataset if r.split == "train"]
    start = initial_model(form, records, seed=1)
    for name, value in start.weights.items():
        if not name.startswith("domain."):
            moved = bool(np.abs(fitted.model.weights[name] - value).max() > 0.0)
            assert moved == weights_of(form)[name].trained, name
    targets = [Target(r) for r in records]
    losses = [evaluate_model(m, targets, LossWeights())["loss"] for m in (start, fitted.model)]
    assert losses[1] < losses[0]


def test_early_stopping():
    stage = Stage(epochs=10, patience=2)
    rows = [{"validation_loss": loss} for loss in (3.0, 2.0, 1.0, 1.1, 1.2, 0.9)]
    assert [is_finished(rows[:n], stage) for n in range(7)] == [
        False, False, False, False, False, True, False,
    ]  # fmt: skip
    assert not is_finished(rows, replace(stage, patience=0))
    assert is_finished(rows, replace(stage, patience=0, epochs=6))


def test_few_frames_of_each_molecule():
    model = random_model()
    records = [lesson(model, distorted("HCN", seed=k), name) for k, name in enumerate("AABABB")]
    kept = frames_limited(records, 2)
    assert [r.molecule for r in kept] == ["A", "A", "B", "B"]
    assert kept[3] is records[4]
    assert frames_limited(records, 0) == records


def test_frames_can_be_split(dataset):
    """One molecule with many frames: geometries are held out, each in one part only."""
    frames = ReferenceDataset(
        tuple(
            replace(r, molecule="ONE-X", structure=moved(r.structure, r.structure.positions + k))
            for r in dataset
            for k in range(4)
        )
    )
    recipe = Recipe.of_mapping({"name": "frames", "source": [{"files": ["frames.h5"]}]})
    with pytest.raises(ParameterError, match='split = "frame"'):
        parts_of(frames, recipe)
    parts = parts_of(frames, replace(recipe, split="frame"))
    assert min(map(len, parts[:2])) > 0
    found = sorted(id(r) for part in parts for r in part)
    assert found == sorted(id(r) for r in frames)
    whole = parts_of(dataset, recipe)
    assert {r.molecule for r in whole.train}.isdisjoint(r.molecule for r in whole.validation)


@pytest.mark.parametrize("n_bad", [1, 1000])
def test_a_batch_without_gradient_is_left_out(dataset, tmp_path, monkeypatch, n_bad):
    """One closed gap stops nothing; when most batches have one, the run says that it diverged."""
    seen = []

    def sometimes(*arguments, **options):
        seen.append(1)
        if len(seen) <= n_bad:
            raise ConvergenceError("no derivative")
        return batch_loss(*arguments, **options)

    monkeypatch.setattr(batches, "batch_loss", sometimes)
    path = place(tmp_path / "some", dataset)
    if n_bad == 1:
        train(path, quiet=True)
        assert len(last_state(path).history) == EPOCHS
    else:
        with pytest.raises(ConvergenceError, match="diverged"):
            train(path, quiet=True)
        assert not (path.parent / "student" / "weights.npz").exists()


def test_the_response_is_fitted_after_the_last_stage(dataset, tmp_path, monkeypatch):
    """To ions, and to the open shells beside them; its source takes part in no stage."""
    reference = Path(__file__).parents[3] / "parameters" / "reference"
    for name in ("ions-2.h5", "vertical.json"):
        (tmp_path / name).symlink_to(reference / name)
    source = '[[source]]\nfiles = ["../ions-2.h5", "../vertical.json"]\ntargets = ["response"]\n'
    calls = []

    def fitted(parameters, ions, opened, report):
        calls.append((ions, opened))
        return parameters.with_fit("response_fit", parameters.model, {"ions": len(ions.records)})

    monkeypatch.setattr(run_module, "with_fitted_response", fitted)
    path = place(tmp_path / "run", dataset, CONFIG.replace("[[stage]]", source + "[[stage]]"))
    made = train(path, quiet=True)
    ((ions, opened),) = calls
    assert len(ions.records) > 30
    assert {one.structure.multiplicity for one in opened} == {2, 3}
    assert made.header["response_fit"] == {"ions": len(ions.records)}
    lonely = source.replace('"../ions-2.h5", ', "")
    path = place(tmp_path / "lonely", dataset, CONFIG.replace("[[stage]]", lonely + "[[stage]]"))
    with pytest.raises(InputError, match="open shells stand beside a dataset of ions"):
        train(path, quiet=True)
