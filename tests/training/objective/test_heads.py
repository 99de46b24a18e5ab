"""Heads: how another level of theory reads the features, its start, and what it teaches."""

from dataclasses import replace

import numpy as np
import pytest
from harness import derivative
from molecules import FORMS, learned, random_model
from teacher import lessons, named_in, random_surfaces

from mlsemi.errors import InputError, ParameterError
from mlsemi.ground.state import ground_state
from mlsemi.model.model import Model
from mlsemi.molecule.pairs import PairList
from mlsemi.symmetry.so3 import XYZ
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.data.exclusion import hash_of, is_excluded
from mlsemi.training.data.surfaces import save_surfaces
from mlsemi.training.fit.recipe import Recipe
from mlsemi.training.fit.run import fit
from mlsemi.training.fit.sources import load_sources
from mlsemi.training.objective.evaluation import batch_loss, evaluate_model
from mlsemi.training.objective.heads import Head, base_name, facts_of, released
from mlsemi.training.objective.loss import GROUND_STATE, LossWeights, Target
from mlsemi.training.objective.source import Source

WEIGHTS = LossWeights()
RECORDS = list(lessons(random_model(seed=3), n_train=2, n_validation=0))
MODEL = random_model(seed=7)
READOUT = [name for name, fact in facts_of(MODEL.form).items() if fact.own]


def source(kind, entries, targets=GROUND_STATE):
    return Source(Head(kind, 1), frozenset(targets), entries, [])


def surfaces():
    """Two molecules with energies, forces, charges and dipoles that no model has."""
    return random_surfaces(["A" * 14])


SHIFTED = source("shifted", RECORDS)
OWN = source("own", surfaces(), GROUND_STATE - {"levels"})


def with_random_head(model, one, size=0.1, seed=1):
    """The model with random weights of a head."""
    rng = np.random.default_rng(seed)
    more = {name: size * rng.normal(size=value.shape) for name, value in one.start(model).items()}
    return replace(model, weights=dict(model.weights) | more)


@pytest.mark.parametrize(
    ("one", "kind"),
    [(SHIFTED, kind) for kind in ("nonlinear", "local", "band", "linear")]
    + [(OWN, kind) for kind in ("nonlinear", "local", "band+readout", "linear")],
)
def test_gradient_of_all_weights(one, kind):
    plain = random_model(FORMS[kind], seed=7)
    model = with_random_head(plain, one, 0.3 if one is OWN else 0.1)
    _, gradients = one.loss(model, [0, 1], WEIGHTS, 0.7)
    assert {n: g.shape for n, g in gradients.items()} == {
        n: w.shape for n, w in model.weights.items()
    }
    if one is OWN:
        assert not any(gradients[name].any() for name in READOUT if name in plain.weights)
    own = {name for name in model.weights if name.startswith(one.head.prefix)}
    rng = np.random.default_rng(3)
    turns = {n: rng.normal(size=v.shape) for n, v in model.weights.items()}
    for names in (own, set(learned(plain))) if plain.form.learned or one is SHIFTED else (own,):

        def at(t, names=names):
            weights = {n: v + t * turns[n] * (n in names) for n, v in model.weights.items()}
            return one.loss(Model(model.form, weights), [0, 1], WEIGHTS, 0.7)[0]

        expected = sum(np.sum(turns[n] * gradients[n]) for n in names)
        assert abs(expected) > 1e-5
        assert derivative(at, 1e-3) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["nonlinear", "linear", "band"])
def test_without_differences_it_is_the_model(kind):
    """Zero differences: the loss of the model itself, and gradients that add up nowhere twice."""
    plain = random_model(FORMS[kind], seed=7)
    start = SHIFTED.start(plain)
    start = {n: v if n.endswith((".in", ".bias")) else 0.0 * v for n, v in start.items()}
    model = replace(plain, weights=dict(plain.weights) | start)
    loss, gradients = SHIFTED.loss(model, [1], WEIGHTS, 0.7)
    terms = replace(WEIGHTS, virtual=0.0, residual_virtual=0.0)
    direct, _, of_model = batch_loss(plain, [Target(r) for r in RECORDS[1:]], terms)
    assert loss == pytest.approx(0.7 * direct[0], rel=1e-12)
    for name, value in of_model.items():
        np.testing.assert_allclose(gradients[name], 0.7 * value, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", ["nonlinear", "linear", "band", "band+readout"])
def test_start_of_differences(kind):
    """The energies are those of the other level, and all else is the model's."""
    model = random_model(FORMS[kind], seed=7)
    start = SHIFTED.start(model)
    both = replace(model, weights=dict(model.weights) | start)
    assert set(released(both.weights)) == set(model.weights)
    assert {base_name(name) for name in start} <= set(model.weights)
    close = SHIFTED.head.read(both)
    for record in RECORDS:
        pairs = PairList.of([record.structure], model.form.elements, model.form.cutoff)
        energy = ground_state(close, close.predict(pairs)[0], 0).energy
        assert energy == pytest.approx(record.energy, abs=1e-6)
    same = {n for n, w in model.weights.items() if np.array_equal(w, close.weights[n])}
    wider = {"energy.in", "energy.bias", "energy.out"} if "energy.in" in model.weights else set()
    assert set(model.weights) - same == {"energy.atom"} | wider


def test_start_of_a_readout():
    start, prefix = OWN.start(MODEL), OWN.head.prefix
    assert set(start) == {prefix + name for name in READOUT}
    for surface in OWN.entries:
        species = [MODEL.form.elements.index(z) for z in surface.structure.numbers.tolist()]
        assert start[prefix + "energy.atom"][species].sum() == pytest.approx(surface.energy)
    assert set(released(dict(MODEL.weights) | start)) == set(MODEL.weights)
    assert {base_name(name) for name in start} == set(READOUT)
    assert MODEL.weights["energy.out"].any()
    assert not start[prefix + "energy.out"].any()


def test_a_perfect_readout_has_no_loss():
    """The readout of the model, taken for the other, gives its energies and forces."""
    same = {OWN.head.prefix + name: MODEL.weights[name] for name in READOUT}
    model = replace(MODEL, weights=dict(MODEL.weights) | same)
    exact = []
    for surface in surfaces():
        pairs = PairList.of([surface.structure], model.form.elements, model.form.cutoff)
        prediction, record = model.predict(pairs)
        forces = pairs.by_structure(-model.energy_slope(prediction, record))[0]
        charges = prediction.charges[pairs.atoms_of(0)]
        dipole = charges @ surface.structure.positions + prediction.atom_dipoles.sum(axis=0)[XYZ]
        energy = float(prediction.atom_energies.sum())
        exact.append(surface._replace(energy=energy, forces=forces, charges=charges, dipole=dipole))
    assert replace(OWN, entries=exact).loss(model, [0, 1], WEIGHTS)[0] < 1e-17
    for name in ("energy", "forces", "charges", "dipole"):
        wrong = [s._replace(**{name: getattr(s, name) + 0.1}) for s in exact]
        assert replace(OWN, entries=wrong).loss(model, [0, 1], WEIGHTS)[0] > 1e-2


def test_lean_records_teach_the_same(tmp_path):
    lean = [record.lean() for record in RECORDS]
    ReferenceDataset(tuple(lean)).save(tmp_path / "lean.h5")
    read = [Target(record) for record in ReferenceDataset.load(tmp_path / "lean.h5")]
    student = random_model(seed=9)
    losses, _, gradients = batch_loss(student, [Target(r) for r in RECORDS], WEIGHTS)
    again, _, of_lean = batch_loss(student, read, WEIGHTS)
    assert read[0].record.dipole_matrix is None
    np.testing.assert_allclose(losses, again, rtol=1e-5)
    for name, value in gradients.items():
        np.testing.assert_allclose(of_lean[name], value, rtol=1e-4, atol=1e-4 * np.abs(value).max())


def recipe_of(*tables, **entries):
    """A recipe with a small model; the first table is the reference."""
    sizes = {"n_channel": MODEL.form.n_channel, "n_hidden": MODEL.form.n_hidden}
    stage = [{"epochs": 4, **entries.pop("stage", {})}]
    known = {"name": "student", "committee": 0, "elements": ["H", "C", "N", "O"], "model": sizes}
    return Recipe.of_mapping({**known, "source": list(tables), "stage": stage, **entries})


def test_training_with_a_readout_of_its_own(tmp_path):
    """It changes the features, only training molecules take part, and nothing of it is kept."""
    lessons(random_model(seed=12)).save(tmp_path / "lessons.h5")
    molecules = [*named_in("train", 2), *named_in("test", 1)]
    every = [s._replace(molecule=m) for m in molecules for s in surfaces()]
    save_surfaces(tmp_path / "surfaces.h5", every)
    first = {"files": ["lessons.h5"]}
    plain = fit(recipe_of(first), tmp_path, quiet=True)
    more = {"files": ["surfaces.h5"], "head": "own", "share": 0.5}
    told = recipe_of(first, more, output="told")
    taught = fit(told, tmp_path, quiet=True)
    assert set(taught.model.weights) == set(plain.model.weights)
    for name in ("message.radial", "energy.out"):
        assert not np.allclose(taught.model.weights[name], plain.model.weights[name])
    data = load_sources(told, tmp_path)[1][1]
    one = data.source(0, None)
    assert {s.molecule for s in one.entries} == set(molecules[:2])
    assert not one.validation
    header = taught.header["training"]["sources"]["surfaces.h5"]
    assert header["targets"] == ["charges", "dipole", "energy", "forces"]
    assert header["checksum"] == data.checksum


def test_training_with_a_close_level(tmp_path):
    """Few records of a teacher and many of one shifted against it: better than the few alone."""
    teacher = random_model(seed=12)
    shifted = dict(teacher.weights)
    shifted["level"] = shifted["level"] + 0.02
    shifted["energy.atom"] = shifted["energy.atom"] - 0.3
    few = lessons(teacher, n_train=3, n_validation=4)
    few.save(tmp_path / "few.h5")
    lessons(Model(teacher.form, shifted), n_train=12, n_validation=2).save(tmp_path / "many.h5")
    stage, first = {"epochs": 40, "batch": 3}, {"files": ["few.h5"]}
    more = {"files": ["many.h5"], "head": "shifted", "share": 4.0}
    plain = fit(recipe_of(first, stage=stage), tmp_path, quiet=True)
    told = recipe_of(first, more, stage=stage, output="told")
    taught = fit(told, tmp_path, quiet=True)
    assert set(taught.model.weights) == set(plain.model.weights)
    baseline = replace(told, output="baseline").with_stage(epochs=1, only=("level",))
    fit(baseline, tmp_path, quiet=True)
    moments = np.load(tmp_path / "baseline.run" / "stage-1.npz").files
    assert {"moments/level:first", "moments/shifted.0.level:first"} <= set(moments)
    assert not any("two_center:first" in name for name in moments)
    unseen = [Target(record) for record in few.split("validation")]
    errors = [evaluate_model(p.model, unseen, LossWeights()) for p in (plain, taught)]
    assert errors[1]["loss"] < 0.9 * errors[0]["loss"]
    one = load_sources(told, tmp_path)[1][1].source(0, None)
    assert len(one.entries) == 12


@pytest.mark.parametrize("head", ["model", "shifted", "own"])
def test_files_without_a_training_molecule(tmp_path, head):
    lessons(random_model(seed=12), 2, 1).save(tmp_path / "lessons.h5")
    (test,) = named_in("test", 1)
    path = tmp_path / "more.h5"
    if head == "shifted":
        ReferenceDataset(tuple(replace(r, molecule=test) for r in RECORDS)).save(path)
    else:
        save_surfaces(path, [s._replace(molecule=test) for s in surfaces()])
    recipe = recipe_of({"files": ["lessons.h5"]}, {"files": ["more.h5"], "head": head})
    with pytest.raises(ParameterError, match=r"more\.h5: nothing of a training molecule"):
        fit(recipe, tmp_path, quiet=True)


@pytest.mark.parametrize(
    ("table", "model", "text"),
    [
        ({"head": "own"}, {"energy": "band"}, "energy that reads the features"),
        ({"targets": ["levels"]}, {}, "surfaces do not teach head 'model' levels"),
        ({"targets": ["charges"]}, {}, "surfaces do not teach head 'model' charges"),
        ({"level": "b3lyp/def2-svp", "files": ["lessons.h5"]}, {}, "not b3lyp/def2-svp"),
        ({"files": ["lessons.h5", "surfaces.h5"]}, {}, "sources of their own"),
        ({"files": ["lessons.h5"], "targets": ["interaction"]}, {}, "what the targets need"),
        ({"files": ["gone.h5", "lost.h5"]}, {}, r"2 files .*gone\.h5, .*lost\.h5"),
    ],
)
def test_sources_that_do_not_fit_are_refused(tmp_path, table, model, text):
    known = lessons(random_model(seed=12), 2, 1)
    level = {"level": {"method": "b3lyp", "basis": "def2-tzvp"}}
    ReferenceDataset(known.records, level).save(tmp_path / "lessons.h5")
    save_surfaces(tmp_path / "surfaces.h5", surfaces())
    recipe = recipe_of({"files": ["lessons.h5"]}, {"files": ["surfaces.h5"], **table}, model=model)
    with pytest.raises((InputError, ParameterError), match=text) as caught:
        fit(recipe, tmp_path, quiet=True)
    assert "\n" not in str(caught.value)


def test_excluded_molecules_take_no_part(tmp_path):
    """Whatever a source holds; the run is then another one."""
    lessons(random_model(seed=12), 4, 2).save(tmp_path / "lessons.h5")
    save_surfaces(tmp_path / "more.h5", random_surfaces(named_in("train", 3)))
    out = named_in("train", 1)
    (tmp_path / "kept.txt").write_text("\n".join(hash_of(m) for m in (*out, "OTHER-X")))
    recipe = recipe_of({"files": ["lessons.h5"]}, {"files": ["more.h5"], "head": "own"})
    whole, part = (
        load_sources(replace(recipe, exclude=name), tmp_path)[1] for name in ("", "kept.txt")
    )
    for one, two in zip(whole, part, strict=True):
        assert {e.molecule for e in one.entries} - {e.molecule for e in two.entries} == set(out)
        assert one.checksum != two.checksum
    assert {r.molecule for r in part[0].dataset}.isdisjoint(out)
    assert is_excluded(f"{'A' * 14}-STEREOISOM-N", {hash_of(f"{'A' * 14}-UHFFFAOYSA-N")})
