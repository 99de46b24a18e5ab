"""Surfaces of the mean of several sets, which another set learns from."""

import re

import numpy as np
import pytest
from computed import surfaces
from teacher import random_surfaces
from typer.testing import CliRunner

from mlsemi import singlepoint
from mlsemi.cli import app
from mlsemi.parameters import Parameters
from mlsemi.training.data.surfaces import load_surfaces, save_surfaces
from mlsemi.training.generators.distillation import LARGEST_MOVE

TEACHERS = ["organic-1", "contacts-1"]


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A file of surfaces of three molecules, and what two sets say near them."""
    folder = tmp_path_factory.mktemp("teaching")
    save_surfaces(folder / "given.h5", random_surfaces("ABC"))
    surfaces("teachers", [folder / "given.h5"], folder / "taught.h5", TEACHERS)
    return folder


def test_surfaces_are_the_mean_of_the_sets_near_the_given_geometries(taught):
    given, found = load_surfaces(taught / "given.h5"), load_surfaces(taught / "taught.h5")
    assert {s.molecule for s in found} <= {"A", "B", "C"}
    assert len(found) >= 4
    for surface in found:
        near = [
            np.abs(surface.structure.positions - s.structure.positions).max()
            for s in given
            if s.structure.n_atom == surface.structure.n_atom
        ]
        assert 0.0 < min(near) < 5.0 * LARGEST_MOVE
        results = [
            singlepoint(surface.structure, parameters=name, forces=True, dispersion=False)
            for name in TEACHERS
        ]
        assert surface.energy == pytest.approx(np.mean([r.energy for r in results]), abs=1e-5)
        for name in ("forces", "charges", "dipole"):
            mean = np.mean([getattr(r, name) for r in results], axis=0)
            np.testing.assert_allclose(getattr(surface, name), mean, rtol=0.0, atol=2e-4)


def test_same_seed_same_surfaces(taught, tmp_path):
    surfaces("teachers", [taught / "given.h5"], tmp_path / "again.h5", TEACHERS, 2)
    for one, two in zip(
        load_surfaces(taught / "taught.h5"), load_surfaces(tmp_path / "again.h5"), strict=True
    ):
        assert one.energy == two.energy
        np.testing.assert_array_equal(one.forces, two.forces)


def test_command(taught, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    given, out = str(taught / "given.h5"), tmp_path / "out.h5"
    ask = ["surfaces", given, "-o", str(out), "--processes", "1"]
    both = [word for name in TEACHERS for word in ("--teacher", name)]
    assert CliRunner().invoke(app, [*ask, *both]).exit_code == 0
    assert load_surfaces(out)[0].energy == load_surfaces(taught / "taught.h5")[0].energy
    out.unlink()
    for words, message in (
        ([*ask, *both[:2]], "two teachers"),
        ([*ask, *both, "--dynamics", "organic-1"], "give one of"),
        ([*ask, *both[:2], "--teacher", "nowhere"], "nowhere"),
        (["surfaces", str(tmp_path / "none.h5"), *ask[2:], *both], "none.h5"),
    ):
        result = CliRunner().invoke(app, words)
        assert result.exit_code != 0
        assert message in result.output.replace("\n", "")
        assert not out.exists()


def test_released_set_keeps_who_taught():
    """The header of a taught set names file and checksum."""
    training = Parameters.load("organic-1.0").header["training"]
    assert training["taught"]
    for entry in training["taught"].values():
        assert re.fullmatch("[0-9a-f]{64}", entry["checksum"])
