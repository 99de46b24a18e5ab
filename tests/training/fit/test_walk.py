"""The walk of docs/training.md: a list of molecules, one recipe, one command, a spectrum."""

import json

import pytest
from typer.testing import CliRunner

from mlsemi.cli import app
from mlsemi.parameters import Parameters
from mlsemi.training.calibration import excitation_fit

pytest.importorskip("pyscf")
pytest.importorskip("rdkit")
pytest.importorskip("tblite")

MOLECULES = ("O", "N", "C=O", "C#N", "NO")
"""The last one is a validation molecule."""

RECIPE = """
name = "mine"
[model]
n_channel = 4
n_node = 4
n_hidden = 8
[[source]]
files = ["molecules.h5"]
[[source]]
files = ["molecules.h5"]
targets = ["constants"]
[[source]]
files = ["molecules.h5"]
targets = ["moments"]
[[stage]]
epochs = 10
batch = 2
"""
FINER = """
name = "finer"
start = "mine"
[[source]]
files = ["molecules.h5"]
[[stage]]
epochs = 3
learning_rate = 1e-3
"""


def command(*words):
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 0, result.output
    return result


def test_from_scratch_to_a_spectrum(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(excitation_fit, "MAX_STEPS", 3)
    (tmp_path / "molecules.smi").write_text("\n".join(MOLECULES))
    cheap = ("--basis", "def2-svp", "--grid", 0, "--temperature", 0, "--forces", "--ris", 4)
    command("reference", "molecules.smi", "-o", "molecules.h5", "--processes", 1, *cheap)
    (tmp_path / "mine.toml").write_text(RECIPE)
    command("train", "mine.toml", "--quiet")
    mine = Parameters.load("mine")
    assert mine.calibrated
    assert mine.elements == ("H", "C", "N", "O")
    errors = mine.header["errors"]
    assert {name: part["structures"] for name, part in errors.items()} == {
        "train": 4, "validation": 1, "test": 0,
    }  # fmt: skip
    assert errors["train"]["occupied_ev"] < 1.0
    command("validate", "mine", "molecules.h5", "--split", "validation", "--json", "errors.json")
    assert json.loads((tmp_path / "errors.json").read_text())["molecules"] == 1
    (tmp_path / "finer.toml").write_text(FINER)
    command("train", "finer.toml", "--quiet")
    finer = Parameters.load("finer")
    assert finer.excitation == mine.excitation
    assert finer.model.form == mine.model.form
    assert finer.header["start"]["checksum"] == mine.checksum
    (tmp_path / "water.xyz").write_text("3\n\nO 0 0 0\nH 0 0.76 0.59\nH 0 -0.76 0.59\n")
    ask = ("spectrum", "water.xyz", "--parameters", "finer", "--singlets", 3)
    lines = command(*ask, "--json", "states.json")
    found = json.loads((tmp_path / "states.json").read_text())
    assert len(json.dumps(found)) > 100
    assert "published" not in lines.output
