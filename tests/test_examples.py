"""The scripts of docs/examples run as they stand and come to sensible results."""

import runpy
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.socketio import SocketIOCalculator
from ase.io import read
from ase.optimize import BFGS

import mlsemi

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


def test_socket_client(tmp_path):
    """A program on the other side of a socket gets the same energies and forces."""
    name = f"mlsemi-{uuid.uuid4().hex[:12]}"
    atoms = read(FOLDER / "formaldehyde.xyz")
    atoms.positions[1] *= 1.05
    alone = atoms.copy()
    alone.calc = mlsemi.MLSemi()
    command = [sys.executable, FOLDER / "socket_client.py", FOLDER / "formaldehyde.xyz", name]
    with SocketIOCalculator(unixsocket=name, timeout=120) as server:
        client = subprocess.Popen(command)
        atoms.calc = server
        for one in (atoms, alone):
            BFGS(one, logfile=None).run(fmax=0.01, steps=30)
        assert atoms.get_potential_energy() == pytest.approx(alone.get_potential_energy(), abs=1e-9)
        assert np.abs(atoms.get_forces() - alone.get_forces()).max() < 1e-9
        assert np.abs(atoms.positions - alone.positions).max() < 1e-9
    assert client.wait(30) == 0
