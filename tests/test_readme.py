"""README, gallery and guide: every command and the Python run as they stand."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from ase.io import read
from test_cli_batches import sdf
from typer.testing import CliRunner

from mlsemi.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
GALLERY = (ROOT / "docs" / "gallery.md").read_text()
GUIDE = (ROOT / "docs" / "guide.md").read_text()
SLOW = ("C60", "indigo", "benzophenone")
"""In commands that other tests, or the pictures of the gallery, stand for."""


def blocks(text, language=""):
    """Code blocks in a language."""
    every = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [content for known, content in every if known == language]


def commands(text):
    """Lines of code blocks that begin with the command, without what stands beside them."""
    lines = "\n".join(blocks(text)).splitlines()
    found = (line.removeprefix("$ ").split("    ")[0] for line in lines)
    return [line for line in found if line.startswith("mlsemi ")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for path in (ROOT / "docs" / "examples").glob("*.xyz"):
        shutil.copy(path, tmp_path)
    (tmp_path / "dyes.sdf").write_text(sdf("one", "two"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.mark.parametrize("text", [README, GALLERY], ids=["README", "gallery"])
def test_commands_run(folder, text):
    lines = commands(text)
    assert len(lines) >= 7
    for line in lines:
        if any(word in line for word in SLOW):
            continue
        found = CliRunner().invoke(app, shlex.split(line)[1:])
        assert found.exit_code == 0, (line, found.stderr)


def test_python_runs(folder, capsys):
    (code,) = blocks(README, "python")
    exec(code, {})
    assert "Result(C8H10N4O2" in capsys.readouterr().out


USAGE = re.compile(r"\b(?:FILE|INPUT|LIST|RECIPE|WHAT|COMMAND|P)\b| \| |mlsemi serve")
"""Lines that say how a command is called, pipes, and what runs until it is stopped."""


def test_commands_of_the_guide_run(folder):
    lines = [line for line in commands(GUIDE) if not USAGE.search(line)]
    assert len(lines) > 20
    for line in lines:
        if line in commands(README) + commands(GALLERY):
            continue
        found = CliRunner().invoke(app, shlex.split(line)[1:])
        assert found.exit_code == 0, (line, found.stderr)


def test_python_of_the_guide_runs(folder, capsys):
    """One block after another, as somebody would type them who has read the first ones."""
    pytest.importorskip("qcengine")
    named = {"atoms": read("formaldehyde.xyz")}
    shutil.copy("formaldehyde-300K.xyz", "trajectory.xyz")
    for block in blocks(GUIDE, "python"):
        exec(block, named)
    assert "[" in capsys.readouterr().out


def test_readme_is_short():
    """One and a half screens of a tall window, and every figure stands in the page of numbers."""
    assert len(README.splitlines()) <= 100
    table = README[README.index("## How good") : README.index("## When not")]
    numbers = re.sub(r"\s+", " ", (ROOT / "docs" / "numbers.md").read_text()).replace("*", "")
    for figure in re.findall(r"\b\d+\.\d+\b", table):
        assert figure in numbers, figure
