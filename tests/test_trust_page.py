"""docs/when-not-to-trust.md: every example says the words that stand beside it."""

import re
import shlex
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from typer.testing import CliRunner

import mlsemi
from mlsemi.cli import app
from mlsemi.errors import DomainWarning, MlsemiError
from mlsemi.response.solvents import TABLE
from mlsemi.units import HARTREE_EV

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "when-not-to-trust.md").read_text()
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")][1:]


def said_by_command(line):
    found = CliRunner().invoke(app, shlex.split(line)[1:])
    assert found.exception is None or isinstance(found.exception, SystemExit)
    return found.stderr


def said_in_python(code):
    """Warnings of the last line's result, and what is warned or refused on the way."""
    *before, last = code.split("; ")
    known = {"mlsemi": mlsemi, "molecule": molecule, "Atoms": Atoms}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DomainWarning)
        try:
            exec("; ".join(before), known)
            value = eval(last, known)
            texts = list(value.warnings) if hasattr(value, "warnings") else []
        except MlsemiError as error:
            texts = [str(error)]
    return "\n".join([*texts, *(str(warning.message) for warning in caught)])


@pytest.mark.parametrize("row", ROWS, ids=[row[-1] for row in ROWS])
def test_example_says_so(row, tmp_path, monkeypatch):
    for path in (DOCS / "examples").glob("*.xyz"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    _, examples, words = row
    codes = re.findall(r"`([^`]+)`", examples)
    assert codes
    said = ""
    for code in codes:
        said = (said_by_command if code.startswith("mlsemi ") else said_in_python)(code)
    assert words in said


def test_all_sentences_have_an_example():
    assert len(ROWS) == 22
    assert all(len(row) == 3 for row in ROWS)


def test_an_undisturbed_molecule_says_nothing():
    for name in ("H2O", "C6H6", "CH3CONH2", "C2H6CHOH", "SO2"):
        assert mlsemi.singlepoint(molecule(name)).warnings == ()


def test_numbers_are_those_of_the_linked_pages():
    for page, number in (
        ("excitations.md", "| all | fitted constants | 35 | +0.03 / 0.21 | -0.05 / 0.11 |"),
        ("excitations.md", "| all | CAM-B3LYP | 27 | +0.05 / 0.17 | -0.17 / 0.18 |"),
        ("excitations_held_out.md", "| bright state / eV | 49 | -0.093 |"),
    ):
        assert number in (DOCS.parent / "validation" / page).read_text()


def test_nothing_is_said_of_a_triplet_with_a_gap():
    methylene = molecule("CH2_s3B1d")
    methylene.set_initial_magnetic_moments(None)
    assert mlsemi.singlepoint(methylene).warnings == ()


def test_numbers_of_solvents_and_polarisabilities():
    """As the page has them: 31 names, +0.23 eV, and 14, 17 and 22 bohr^3."""
    assert f"**Solvents**: {len(TABLE)} by name" in PAGE
    acetone = molecule("CH3COCH3")
    gas, water = (
        mlsemi.singlepoint(acetone, singlets=1, solvent=solvent).singlets.energies[0]
        for solvent in (None, "water")
    )
    assert (water - gas) * HARTREE_EV == pytest.approx(0.23, abs=0.01)
    path = DOCS / "examples" / "formaldehyde.xyz"
    alpha = mlsemi.singlepoint(path, polarizability=True).polarizability
    np.testing.assert_allclose(np.linalg.eigvalsh(alpha), [14, 17, 22], atol=0.6)


def test_examples_of_the_guide_run(tmp_path, monkeypatch):
    """Commands of the section on charge, spin, field and solvent, and what they are about."""
    for path in (DOCS / "examples").glob("*.xyz"):
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    section = (DOCS / "guide.md").read_text().split("### Charge, spin, field, solvent")[1]
    lines = section.split("```")[1].strip().splitlines()
    assert len(lines) == 3
    for line, words in zip(lines, ("spin", "polarisability", "in water"), strict=True):
        found = CliRunner().invoke(app, shlex.split(line)[1:])
        assert found.exit_code == 0
        assert words in found.stdout
