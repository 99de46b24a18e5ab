"""The manifest: files follow from lists in the right order, and what is there is not made again."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from molecules import random_model
from teacher import lessons
from typer.testing import CliRunner

from mlsemi.cli import app
from mlsemi.errors import InputError
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.data.exclusion import hash_of
from mlsemi.training.data.surfaces import Surface, save_surfaces
from mlsemi.training.fit.recipe import Recipe
from mlsemi.training.generators import manifest as module
from mlsemi.training.generators.discrepancies import check_all, differences, surface_differences
from mlsemi.training.generators.manifest import (
    GivenFile,
    Manifest,
    ReferenceFile,
    SurfaceFile,
    make_all,
)
from mlsemi.training.generators.surface_lists import molecules_of

PARAMETERS = Path(__file__).parents[3] / "parameters"
OURS = PARAMETERS / "reference" / "manifest.toml"

TEXT = """
[[reference]]
path = "last.h5"
inputs = ["middle.h5"]
skip = ["first.h5"]
basis = "def2-svp"
lean = true
[[surfaces]]
path = "middle.h5"
by = "relaxations"
inputs = ["list.smi"]
first = 7
kept = false
[[reference]]
path = "first.h5"
inputs = ["list.smi"]
forces = true
[[given]]
path = "old.h5"
why = "its teachers are lost"
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a manifest; every calculation leaves an empty file and a note."""
    (tmp_path / "manifest.toml").write_text(TEXT)
    (tmp_path / "list.smi").write_text("O\n")
    (tmp_path / "old.h5").write_text("")
    asked = []

    def made(entry, *more):
        asked.append(entry)
        Path(entry.path).write_text("")

    for name in ("reference_command", "surfaces_command"):
        monkeypatch.setattr(module, name, made)
    return tmp_path, asked


def test_files_are_made_after_those_they_need(place):
    folder, asked = place
    names = make_all(folder / "manifest.toml")
    assert set(names) == {"first.h5", "middle.h5", "last.h5"}
    assert names[-1] == "last.h5"
    by_name = {Path(entry.path).name: entry for entry in asked}
    last = by_name["last.h5"]
    assert last.inputs == (str(folder / "middle.h5"),)
    assert last.skip == (str(folder / "first.h5"),)
    assert (last.basis, last.lean, last.forces) == ("def2-svp", True, False)
    assert by_name["middle.h5"].first == 7
    asked.clear()
    assert not make_all(folder / "manifest.toml")
    assert not asked


def test_what_is_on_the_way_is_made_only_when_it_is_needed(place):
    folder, _ = place
    for name in ("first.h5", "last.h5"):
        (folder / name).write_text("")
    assert not make_all(folder / "manifest.toml")
    (folder / "first.h5").unlink()
    assert make_all(folder / "manifest.toml") == ["first.h5"]
    (folder / "last.h5").unlink()
    assert make_all(folder / "manifest.toml", ["last.h5"]) == ["middle.h5", "last.h5"]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ('["middle.h5"]', '["last.h5"]', "need each other: last.h5 -> last.h5"),
        ('path = "middle.h5"', 'path = "first.h5"', "first.h5 stands there twice"),
        ("forces = true", "force = true", "reference 2 force = True"),
        ('by = "relaxations"', 'by = "hand"', "surfaces 1 by = 'hand'"),
        ('["list.smi"]\nforces', '["lost.smi"]\nforces', "cannot be made here: lost.smi"),
    ],
)
def test_mistakes_are_one_line(place, old, new, text):
    folder, asked = place
    (folder / "manifest.toml").write_text(TEXT.replace(old, new))
    with pytest.raises(InputError, match=text) as caught:
        make_all(folder / "manifest.toml")
    assert "\n" not in str(caught.value)
    assert not asked


def test_what_cannot_be_made_says_why(place):
    folder, asked = place
    (folder / "old.h5").unlink()
    with pytest.raises(InputError, match=r"old\.h5: its teachers are lost"):
        make_all(folder / "manifest.toml")
    with pytest.raises(InputError, match=r"none\.h5: not in the manifest"):
        make_all(folder / "manifest.toml", ["none.h5"])
    assert not asked


def test_command(place):
    folder, _ = place
    run = CliRunner().invoke
    ask = ["reference", "--from", str(folder / "manifest.toml")]
    assert "1 of 1: first.h5" in run(app, [*ask, "first.h5"]).output
    assert "last.h5" in run(app, ask).output
    assert "every file is there" in run(app, ask).output
    assert "its teachers are lost" in run(app, [*ask, "old.h5", "--check"]).output
    assert run(app, ["reference", "molecules.smi"]).exit_code != 0


def test_what_a_file_holds_otherwise(tmp_path):
    known = lessons(random_model(seed=12), 2, 1)
    level = {"method": "b3lyp", "basis": "def2-tzvp", "grid": 2, "forces": True}
    about = {"level": level, "sampling": {"seed": 0, "temperatures": [0.0]}}
    ReferenceDataset(known.records, about).save(tmp_path / "x.h5")
    (tmp_path / "list.smi").write_text("O\nC\n")
    same = {"path": "x.h5", "inputs": ("x.h5",), "forces": True}
    assert differences(tmp_path, ReferenceFile(**same)) == []
    other = ReferenceFile(**same | {"inputs": ("list.smi",)}, basis="def2-svp", temperatures=(9.0,))
    lines = "\n".join(differences(tmp_path, other))
    for text in ("basis: def2-tzvp in the file, def2-svp", "temperatures: [0.0] in the file",
                 "1 records that no job makes, as lesson", "2 of 2 jobs without"):  # fmt: skip
        assert text in lines


def test_whether_a_file_is_lean_is_seen_from_what_it_holds(tmp_path):
    """Files that are older than the entry do not say so."""
    known = lessons(random_model(seed=12), 2, 1)
    about = {"level": {"method": "b3lyp", "basis": "def2-tzvp", "grid": 2}, "sampling": {"seed": 0}}
    ReferenceDataset(tuple(r.lean() for r in known), about).save(tmp_path / "lean.h5")
    ReferenceDataset(known.records, about).save(tmp_path / "full.h5")
    for name, lean in (("lean.h5", True), ("full.h5", False)):
        entry = {"path": name, "inputs": (name,)}
        assert differences(tmp_path, ReferenceFile(**entry, lean=lean)) == []
        told = f"lean: {lean} in the file, {not lean} in the manifest"
        assert differences(tmp_path, ReferenceFile(**entry, lean=not lean)) == [told]


def surfaces_of(folder, name, keys, about):
    """A file with one geometry of each molecule."""
    record = lessons(random_model(seed=12), 1, 1).records[0]
    n = record.structure.n_atom
    one = record.structure, -1.0, np.zeros((n, 3)), np.zeros(n), np.zeros(3)
    save_surfaces(folder / name, [Surface(*one, key) for key in keys], about)


def test_what_a_file_of_surfaces_holds_otherwise(tmp_path):
    """It is opened: another seed, level, origin or molecule is told, and so is what is unknown."""
    (tmp_path / "list.smi").write_text("O\nC\nCC\nCCC\nCO\n")
    known = dict(molecules_of([tmp_path / "list.smi"], frozenset()))
    assert len(known) > 2
    keys = list(known.values())
    surfaces_of(tmp_path, "x.h5", keys, {"seed": 1})
    entry = {"path": "x.h5", "by": "relaxations", "inputs": ("list.smi",)}
    assert surface_differences(tmp_path, SurfaceFile(**entry)) == []
    told = surface_differences(tmp_path, SurfaceFile(**entry, seed=2, first=len(keys) - 1))
    assert told == [
        "seed: 1 in the file, 2 in the manifest",
        f"1 molecules that are not asked for, as {keys[-1]}",
    ]
    excluded = frozenset([hash_of(keys[0])])
    (one,) = surface_differences(tmp_path, SurfaceFile(**entry), excluded)
    assert keys[0] in one
    other = SurfaceFile(**entry | {"by": "breaking"})
    assert "by: relaxations in the file, breaking" in surface_differences(tmp_path, other)[0]
    surfaces_of(tmp_path, "x.h5", keys, {})
    (tmp_path / "y.h5").write_text("no surfaces")
    (tmp_path / "manifest.toml").write_text(
        '[[surfaces]]\npath = "x.h5"\nby = "relaxations"\ninputs = ["list.smi"]\n'
        '[[surfaces]]\npath = "y.h5"\nby = "breaking"\ninputs = ["list.smi"]\n'
    )
    lines = []
    check_all(tmp_path / "manifest.toml", [], lines.append)
    first, second = sorted(lines)
    assert first == "x.h5: how it was made does not stand in the file"
    assert "y.h5: not a file of auxiliary surfaces" in second


@pytest.mark.skipif(not OURS.exists(), reason="reference data are not here")
def test_our_files_follow_from_our_lists():
    """Every dataset is in the manifest, every list in the tree; the recipe needs nothing else."""
    manifest, folder = Manifest.load(OURS), OURS.parent
    names = {entry.path: entry for entry in manifest.ordered()}
    assert {path.name for path in folder.glob("*.h5")} <= set(names)
    needed = {need for entry in names.values() for need in entry.needs}
    assert all(need in names or (folder / need).is_file() for need in needed)
    recipe = Recipe.load(PARAMETERS / "organic-1.toml")
    used = [names[Path(file).name] for table in recipe.source for file in table.files]
    assert not [entry for entry in used if isinstance(entry, GivenFile)]
    for entry in used:
        if isinstance(entry, ReferenceFile):
            with h5py.File(folder / entry.path) as file:
                assert entry.method in file.attrs["provenance"]
