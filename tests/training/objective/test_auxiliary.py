"""Auxiliary surfaces: their file, their loss and its gradient, and what training makes of them."""

import re
from dataclasses import replace

import h5py
import numpy as np
import pytest
from harness import derivative
from molecules import FORMS, learned, random_model
from teacher import lessons, named_in, random_surfaces

from mlsemi.errors import InputError, ParameterError
from mlsemi.model.model import Model
from mlsemi.model.pairs import PairList
from mlsemi.orbitals.observables import XYZ
from mlsemi.training.data.surfaces import DECIMALS, load_surfaces, save_surfaces
from mlsemi.training.fit.config import Auxiliary, TrainConfig
from mlsemi.training.fit.fit import fit
from mlsemi.training.fit.parts import other_methods
from mlsemi.training.objective.auxiliary import READOUT, second_readout, surface_loss
from mlsemi.training.objective.extra_maps import base_name, prefix_of, released
from mlsemi.training.objective.loss import LossWeights

MODEL = random_model(seed=7)
WEIGHTS = LossWeights(auxiliary=0.7)
NUMBER = 1
PREFIX = prefix_of("auxiliary", NUMBER)


def surfaces():
    """Two molecules with energies, forces, charges and dipoles that no model has."""
    return random_surfaces(["A" * 14])


def with_second(model, seed=1):
    """The model with a second readout of random weights."""
    rng = np.random.default_rng(seed)
    start = second_readout(model, surfaces(), NUMBER)
    more = {name: 0.3 * rng.normal(size=value.shape) for name, value in start.items()}
    return replace(model, weights=dict(model.weights) | more)


@pytest.mark.parametrize("kind", ["nonlinear", "local", "band+readout", "linear"])
def test_gradient_of_all_weights(kind):
    plain, given = random_model(FORMS[kind], seed=7), surfaces()
    model = with_second(plain)
    loss, gradients = surface_loss(model, given, NUMBER, WEIGHTS)
    assert loss > 0.0
    assert {n: g.shape for n, g in gradients.items()} == {
        n: w.shape for n, w in model.weights.items()
    }
    second = {name for name in model.weights if name.startswith(PREFIX)}
    assert not any(gradients[name].any() for name in READOUT if name in plain.weights)
    rng = np.random.default_rng(3)
    turns = {n: rng.normal(size=v.shape) for n, v in model.weights.items()}
    for names in (second, set(learned(plain))) if plain.form.learned else (second,):

        def at(t, names=names):
            weights = {n: v + t * turns[n] * (n in names) for n, v in model.weights.items()}
            return surface_loss(Model(model.form, weights), given, NUMBER, WEIGHTS)[0]

        expected = sum(np.sum(turns[n] * gradients[n]) for n in names)
        assert abs(expected) > 1e-5
        assert derivative(at, 1e-3) == pytest.approx(expected, rel=1e-5)


def test_a_perfect_second_readout_has_no_loss():
    """The readout of the first, taken for the second, gives its energies and forces."""
    same = {PREFIX + name: MODEL.weights[name] for name in READOUT}
    model = replace(MODEL, weights=dict(MODEL.weights) | same)
    exact = []
    for surface in surfaces():
        pairs = PairList.of([surface.structure], model.form.elements, model.form.cutoff)
        prediction, record = model.predict(pairs)
        forces = pairs.by_structure(-model.energy_slope(pairs, record))[0]
        charges = record.potential.charges[pairs.atoms_of(0)]
        dipole = charges @ surface.structure.positions + prediction.atom_dipoles.sum(axis=0)[XYZ]
        energy = float(prediction.atom_energies.sum())
        exact.append(surface._replace(energy=energy, forces=forces, charges=charges, dipole=dipole))
    assert surface_loss(model, exact, NUMBER, WEIGHTS)[0] < 1e-20
    for name in ("energy", "forces", "charges", "dipole"):
        wrong = [s._replace(**{name: getattr(s, name) + 0.1}) for s in exact]
        assert surface_loss(model, wrong, NUMBER, WEIGHTS)[0] > 1e-5


def test_start_of_a_second_readout():
    given = surfaces()
    start = second_readout(MODEL, given, NUMBER)
    assert set(start) == {PREFIX + name for name in READOUT}
    for surface in given:
        species = [MODEL.form.elements.index(z) for z in surface.structure.numbers.tolist()]
        assert start[PREFIX + "energy.atom"][species].sum() == pytest.approx(surface.energy)
    assert set(released(dict(MODEL.weights) | start)) == set(MODEL.weights)
    assert {base_name(name) for name in start} == set(READOUT)
    assert MODEL.weights["energy.out"].any()
    assert not start[PREFIX + "energy.out"].any()


def test_file(tmp_path):
    path = tmp_path / "surfaces.h5"
    given = surfaces()
    save_surfaces(path, given)
    for one, two in zip(given, load_surfaces(path), strict=True):
        np.testing.assert_array_equal(one.structure.numbers, two.structure.numbers)
        kept = {name: 10.0**-digits for name, digits in DECIMALS.items()}
        np.testing.assert_allclose(
            one.structure.positions, two.structure.positions, rtol=0.0, atol=kept.pop("positions")
        )
        for name, step in kept.items():
            np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0.0, atol=step)
        assert (one.energy, one.molecule) == (two.energy, two.molecule)
    path.write_bytes(b"no HDF5")
    with pytest.raises(ParameterError, match=re.escape(f"{path}: not a file of auxiliary")):
        load_surfaces(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("energy", np.full(2, np.nan)),
        ("energy", np.zeros(1)),
        ("forces", np.zeros((3, 3))),
        ("numbers", np.full(9, 26)),
        ("size", np.array([1, 1])),
        ("molecule", np.arange(2)),
        ("molecule", np.array([b"\xff", b"\xff"])),
    ],
)
def test_damaged_files_are_one_line(tmp_path, name, value):
    path = tmp_path / "surfaces.h5"
    save_surfaces(path, surfaces())
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = value
    with pytest.raises(ParameterError, match=r"surfaces\.h5: .") as caught:
        load_surfaces(path)
    assert "\n" not in str(caught.value)


def test_training_with_surfaces(tmp_path):
    """They change the features, only training molecules take part, and nothing of them is kept."""
    lessons(random_model(seed=12)).save(tmp_path / "lessons.h5")
    molecules = [*named_in("train", 2), *named_in("test", 1)]
    every = [s._replace(molecule=m) for m in molecules for s in surfaces()]
    save_surfaces(tmp_path / "surfaces.h5", every)
    config = TrainConfig(
        name="student",
        datasets=("lessons.h5",),
        output="student",
        committee=0,
        model={"n_channel": MODEL.form.n_channel, "n_hidden": MODEL.form.n_hidden},
    ).with_changes(epochs=2)
    plain = fit(config, tmp_path, quiet=True)
    told = replace(config, auxiliary=(Auxiliary("surfaces.h5", 0.5),), output="taught")
    taught = fit(told, tmp_path, quiet=True)
    assert set(taught.model.weights) == set(plain.model.weights)
    for name in ("message.radial", "energy.out"):
        assert not np.allclose(taught.model.weights[name], plain.model.weights[name])
    (one,) = other_methods(told, tmp_path)
    assert set(one.molecules) == set(molecules[:2])
    header = taught.header["training"]["auxiliary"]
    assert {name: entry["structures"] for name, entry in header.items()} == {
        "surfaces.h5": len(one.surfaces)
    }
    assert "auxiliary" not in plain.header["training"]


def test_surfaces_without_a_training_molecule(tmp_path):
    path = tmp_path / "surfaces.h5"
    save_surfaces(path, [s._replace(molecule=named_in("test", 1)[0]) for s in surfaces()])
    config = TrainConfig("x", (), "x", auxiliary=(Auxiliary("surfaces.h5"),))
    with pytest.raises(ParameterError, match=re.escape(f"{path}: holds no surface")):
        other_methods(config, tmp_path)


def test_surfaces_need_an_energy_that_reads_the_features(tmp_path):
    config = TrainConfig(
        "x", (), "x", auxiliary=(Auxiliary("surfaces.h5"),), model={"energy": "band"}
    )
    with pytest.raises(InputError, match="energy reads"):
        other_methods(config, tmp_path)
