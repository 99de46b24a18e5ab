"""Commands for what is periodic."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import molecule
from crystals import polyethylene, sheet, skew
from tiny import write_tiny_parameters
from typer.testing import CliRunner

from mlsemi.cli import app


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_tiny_parameters(tmp_path / "tiny")
    sheet().write("graphene.extxyz")
    polyethylene().write("chain.extxyz")
    skew().write("crystal.cif")
    pair = molecule("C2H4") + molecule("C2H4")
    pair.positions[6:] += [3.5, 0.0, 0.0]
    moved = pair.copy()
    moved.positions[6:] += [0.3, 0.0, 0.0]
    pair.write("dimer.xyz")
    (pair * (1, 1, 1)).write("frames.xyz")
    moved.write("frames.xyz", append=True)

    def run(*words):
        arguments = [str(word) for word in words] + ["--parameters", str(folder)]
        return CliRunner().invoke(app, arguments)

    return run


def test_run_of_a_cell(cli):
    result = cli("run", "graphene.extxyz", "--kpts", "3x3x1", "--forces", "--json", "-")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert record["kpoints"]["mesh"] == [3, 3, 1]
    assert sum(record["kpoints"]["weights"]) == pytest.approx(1.0)
    assert np.shape(record["kpoints"]["energies_ev"]) == (5, 8)
    assert record["structure"]["pbc"] == [True, True, False]
    assert np.shape(record["structure"]["cell_angstrom"]) == (3, 3)
    orders = [bond[2] for bond in record["bond_orders"]]
    strongest = [bond for bond in record["bond_orders"] if bond[2] > max(orders) - 1e-6]
    assert len({tuple(bond[3]) for bond in strongest}) == 3
    assert "stress_ev_per_angstrom3" not in record
    assert "nothing periodic was learned" in result.stderr
    text = cli("run", "crystal.cif", "--forces", "--csv", "all.csv").stdout
    for words in ("valence bands end", "Fermi level", "Stress", "periodic along a b c", "Bond"):
        assert words in text
    assert Path("all.csv").read_text().count("\n") == 2


def test_bands(cli):
    result = cli("bands", "chain.extxyz", "--kpts", "1x1x4", "--plot", "b.png", "--json", "b.json")
    assert result.exit_code == 0
    for words in ("Fermi level", "HOMO band", "masses", "GX"):
        assert words in result.stdout
    record = json.loads(Path("b.json").read_text())
    assert record["source"] == {"file": "chain.extxyz", "frame": 0}
    assert Path("b.png").stat().st_size > 1000
    assert len(record["kpoints"]["points"]) == 60


def test_couplings(cli):
    result = cli("couplings", "dimer.xyz", "--plot", "c.png", "--json", "-")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert record["pairs"][0]["molecules"] == [0, 1]
    assert record["pairs"][0]["distance_angstrom"] == pytest.approx(3.5)
    assert Path("c.png").stat().st_size > 1000
    table = cli("couplings", "frames.xyz", "--plot", "t.svg", "--lumo").stdout
    for words in ("Site energies", "Transfer integrals", "Mean and fluctuation", "0-1"):
        assert words in table
    assert "coupling of the LUMOs" in Path("t.svg").read_text()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("run", "crystal.cif", "--singlets", 2), "excited states in a periodic cell"),
        (("run", "crystal.cif", "--solvent", "water"), "a solvent in a periodic cell"),
        (("run", "crystal.cif", "--charge", 1), "charge +1 in a periodic cell"),
        (("run", "crystal.cif", "--molden", "a.molden"), "a Molden file in a periodic cell"),
        (("run", "crystal.cif", "--kpts", "2x2"), "give three whole numbers"),
        (("run", "dimer.xyz", "--kpts", "2x2x2"), "k-points need a periodic cell"),
        (("spectrum", "crystal.cif"), "excited states in a periodic cell"),
        (("export", "crystal.cif", "homo"), "this is for molecules"),
        (("bands", "dimer.xyz"), "bands need a periodic cell"),
        (("bands", "frames.xyz"), "bands takes a single structure"),
        (("bands", "chain.extxyz", "--path", "GQ"), "the special points of this cell are G X"),
        (("couplings", "chain.extxyz"), "bonded to its own images"),
    ],
)
def test_refusals(cli, words, line):
    result = cli(*words)
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert line in result.stderr
    assert "frame 0" in result.stderr or words[0] in result.stderr or "frames.xyz" in result.stderr
