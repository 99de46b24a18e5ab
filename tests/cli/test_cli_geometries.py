"""Commands that move nuclei, with the released parameters."""

import json
from pathlib import Path

import ase.io
import numpy as np
import pytest
from test_cli import FORMALDEHYDE, assert_one_line_error
from typer.testing import CliRunner

from mlsemi.cli import app
from mlsemi.molecule.formats import read_structures


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def test_optimize(cli):
    result = cli("optimize", FORMALDEHYDE, "--json", "record", "--path", "steps.xyz")
    assert result.exit_code == 0
    assert "S0: " in result.stdout
    record = json.loads(Path("record").read_text())
    assert record["converged"]
    assert record["energies_ev"][-1] == record["energy_ev"] < record["energies_ev"][0]
    (found,) = read_structures("formaldehyde-optimized.xyz")
    np.testing.assert_allclose(
        found.to_ase().positions, record["structure"]["positions_angstrom"], atol=1e-6
    )
    assert len(read_structures("steps.xyz")) == record["steps"] + 1
    again = cli(
        "optimize", FORMALDEHYDE, "--path", "steps.xyz", "--resume", "--json", "again", "-q"
    )
    assert again.exit_code == 0
    assert json.loads(Path("again").read_text())["steps"] == 0
    assert len(read_structures("steps.xyz")) == record["steps"] + 1
    assert_one_line_error(
        cli("optimize", "smiles:O", "--path", "steps.xyz", "--resume"), "another molecule"
    )


def test_surfaces(cli):
    shown = cli("optimize", FORMALDEHYDE, "--state", 1, "--fmax", 0.02, "-o", "s1.xyz").stdout
    assert "vertical emission to S0: 3." in shown
    cli("optimize", FORMALDEHYDE, "--multiplicity", 3, "--fmax", 0.02, "-o", "t1.xyz", "-q")
    (triplet,) = read_structures("t1.xyz")
    assert triplet.multiplicity == 3  # what was written can be read
    cli("optimize", FORMALDEHYDE, "--solvent", "water", "--fmax", 0.02, "-o", "w.xyz", "-q")
    lengths = [ase.io.read(f).get_distance(0, 1) for f in ("s1.xyz", "t1.xyz", "w.xyz")]
    assert lengths[2] < 1.22 < lengths[0] < 1.4
    assert 1.22 < lengths[1] < 1.4
    told = cli("optimize", FORMALDEHYDE, "--state", 1, "--solvent", "water", "--fmax", 0.05).stdout
    assert "vertical emission to S0: " in told
    assert_one_line_error(cli("optimize", "smiles:C[CH2]"), "no energy|energies|forces")


def test_what_does_not_relax_is_written_and_said(cli):
    result = cli("optimize", FORMALDEHYDE, "--steps", 1, "--fmax", 1e-5, "-q")
    assert_one_line_error(result, "not relaxed after 1 steps: .* written as it is")
    assert Path("formaldehyde-optimized.xyz").exists()
    several = cli("optimize", "smiles:C", "smiles:O", "--steps", 1, "--fmax", 1e-5, "-q")
    assert several.exit_code == 1
    assert len(several.stderr.splitlines()) == 3
    assert len(read_structures("molecule-optimized.xyz")) == 2


def test_constraints(cli):
    cli("optimize", "smiles:CC=O", "--keep", "0-1-2", "--fix", "0", "--fmax", 0.05, "-q")
    assert_one_line_error(cli("optimize", "smiles:C", "--keep", "0-9"), "atom 9 does not exist")
    assert_one_line_error(cli("optimize", "smiles:C", "--keep", "a-b"), "counted from 0")


def test_vibrations(cli):
    result = cli(
        "vibrations",
        "smiles:O",
        "--opt",
        "--symmetry-number",
        2,
        "--plot",
        "ir.png",
        "--csv",
        "ir.csv",
        "--json",
        "record",
        "--films",
        "films",
        "--all",
    )
    assert result.exit_code == 0
    assert "symmetry number 2" in result.stdout
    record = json.loads(Path("record").read_text())
    table = np.loadtxt("ir.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(table[:, 0], record["wavenumbers_cm"], atol=1e-3)
    assert (table[:, 1] > 1.0).all()
    assert Path("ir.png").stat().st_size > 10_000
    assert len(list(Path("films").glob("mode-*.xyz"))) == 3
    shifted = cli("vibrations", FORMALDEHYDE.replace(".xyz", "-300K.xyz"))
    assert_one_line_error(shifted, "takes a single structure, there are 5")
    assert cli("vibrations", "smiles:O", "--all").exit_code == 2


def test_vibrations_away_from_a_minimum_warn(cli):
    Path("flat.xyz").write_text(
        "4\nflat\nN 0 0 0\nH 1 0 0\nH -0.5 0.866025 0\nH -0.5 -0.866025 0\n"
    )
    result = cli("vibrations", "flat.xyz", "--films", "films")
    assert "1 imaginary mode: no minimum" in result.stderr
    assert len(list(Path("films").iterdir())) == 1


def test_scan(cli):
    result = cli(
        "scan",
        "smiles:CC=O",
        "2-1-0-3",
        "--from",
        0,
        "--to",
        120,
        "--points",
        3,
        "--plot",
        "s.svg",
        "--csv",
        "s.csv",
        "-o",
        "s.xyz",
        "--json",
        "record",
    )
    assert result.exit_code == 0
    record = json.loads(Path("record").read_text())
    assert record["values"] == [0.0, 60.0, 120.0]
    assert record["converged"] == [True] * 3
    np.testing.assert_allclose(record["energies_ev"][0], record["energies_ev"][2], atol=0.005)
    assert record["energies_ev"][1] > record["energies_ev"][0] + 0.02
    assert len(read_structures("s.xyz")) == 3
    header, *rows = Path("s.csv").read_text().splitlines()
    assert (header, len(rows)) == ("dihedral_angle_degrees,energy_ev", 3)
    assert "<svg" in Path("s.svg").read_text()
    assert_one_line_error(cli("scan", "smiles:C", "0-1"), "needs --from and --to")
    assert_one_line_error(cli("scan", "smiles:C", "0-1", "--from", 0, "--to", 1), "positive")
    assert_one_line_error(cli("scan", "smiles:c1ccccc1", "0-1-2-3"), "part of one ring")


def test_conformers(cli):
    result = cli("conformers", "smiles:CCCC", "-n", 6, "-o", "c.xyz", "--json", "record")
    assert result.exit_code == 0
    record = json.loads(Path("record").read_text())
    assert sum(record["populations"]) == pytest.approx(1.0)
    assert len(read_structures("c.xyz")) == len(record["energies_ev"]) >= 2
    cli("conformers", "c.xyz", "-n", 1)
    assert_one_line_error(cli("conformers", "c.xyz", "-n", 1), "takes a single structure")
    cli("optimize", "smiles:OCCN", "-o", "o.xyz", "-q")
    from_file = cli("conformers", "o.xyz", "-n", 3, "--window-ev", 0.3)
    assert from_file.exit_code == 0
    assert "3 built" in from_file.stdout
