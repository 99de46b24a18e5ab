"""The scripts of docs/examples run as they stand and come to sensible results."""

import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run one script in a folder of its own that holds the example structures."""
    for path in FOLDER.glob("*.xyz"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return lambda name: runpy.run_path(str(FOLDER / f"{name}.py"))


def test_optimise(run, tmp_path):
    found = run("optimise")
    assert found["converged"]
    assert 0.0 < found["gained"] < 2.0
    assert (tmp_path / "caffeine-relaxed.xyz").exists()


def test_vibrations(run, tmp_path):
    found = run("vibrations")
    assert found["wavenumbers"].shape == (6,)
    assert 800.0 < found["wavenumbers"].min() < found["wavenumbers"].max() < 3400.0
    assert (found["intensities"] >= 0.0).all()
    assert (tmp_path / "formaldehyde-ir.dat").exists()


def test_torsion_scan(run):
    profile = run("torsion_scan")["profile"]
    np.testing.assert_allclose(profile[0], profile[-1], atol=0.05)
    assert 0.1 < profile.max() < 4.0


def test_reaction_path(run):
    found = run("reaction_path")
    assert found["converged"]
    assert 0.5 < found["barrier"] < 5.0


def test_emission(run):
    found = run("emission")
    assert found["converged"]
    assert 1.0 < found["emission"] < found["absorption"]


def test_dynamics(run, tmp_path):
    assert run("dynamics")["drift"] < 1.0
    assert (tmp_path / "p-nitroaniline.traj").exists()


def test_thermal_spectrum(run):
    assert 3.5 < run("thermal_spectrum")["peak"] < 5.0
