"""Files that are whole, lines that survive, and what dead processes leave."""

import json
import os
import subprocess
import sys
from contextlib import suppress

import pytest

from mlsemi.errors import OutputError
from mlsemi.outputs import check_writable, complete_or_absent, folder, lines_that_survive, stem_of

LONG = "n" * 250


@pytest.fixture
def dead():
    """Number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_leftovers_of_dead_processes_are_removed_and_no_others(tmp_path, dead):
    kept = [f".out.{os.getppid()}.writing", f".other.{dead}.writing", f"out.{dead}.writing"]
    for name in (f".out.{dead}.writing", *kept):
        (tmp_path / name).write_text("half")
    with complete_or_absent(tmp_path / "out") as temporary:
        temporary.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"out", *kept}
    (tmp_path / f".out.{dead}.writing").write_text("half")
    with lines_that_survive(tmp_path / "out", pytest.fail) as write:
        write("line")
    assert {path.name for path in tmp_path.iterdir()} == {"out", *kept}
    assert (tmp_path / "out").read_text() == "line\n"


@pytest.mark.parametrize("name", [LONG, "ß" * 125, "n" * 255])
def test_every_name_that_the_system_allows(tmp_path, name):
    check_writable(tmp_path / name)
    with complete_or_absent(tmp_path / name) as temporary:
        temporary.write_text("whole")
    with suppress(RuntimeError), lines_that_survive(tmp_path / name, str) as write:
        write("line")
        raise RuntimeError
    assert (tmp_path / name).read_text() == "whole"
    (partial,) = tmp_path.glob("*.partial")
    assert partial.read_text() == "line\n"
    with lines_that_survive(tmp_path / name, pytest.fail) as write:
        write("again")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_long_names_that_differ_at_their_ends_do_not_meet(tmp_path):
    with (
        complete_or_absent(tmp_path / (LONG + "1")) as one,
        complete_or_absent(tmp_path / (LONG + "2")) as two,
    ):
        one.write_text("1")
        two.write_text("2")
    assert (tmp_path / (LONG + "1")).read_text() == "1"


def test_a_name_that_is_too_long_is_found_before_the_work(tmp_path):
    with pytest.raises((OutputError, OSError), match="too long"):
        check_writable(tmp_path / ("n" * 256))


def test_finished_lines_survive_a_failure(tmp_path):
    told = []
    with (
        suppress(KeyboardInterrupt),
        lines_that_survive(tmp_path / "r.jsonl", told.append) as write,
    ):
        write("1")
        write("2")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["r.jsonl.partial"]
    assert (tmp_path / "r.jsonl.partial").read_text() == "1\n2\n"
    assert told == [f"{tmp_path / 'r.jsonl.partial'} holds the 2 records finished before"]
    (tmp_path / "r.jsonl.partial").unlink()
    with pytest.raises(RuntimeError), lines_that_survive(tmp_path / "r.jsonl", pytest.fail):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_a_line_is_there_as_soon_as_it_is_written(tmp_path):
    """What SIGKILL leaves."""
    with lines_that_survive(tmp_path / "r", pytest.fail) as write:
        write(json.dumps({"a": 1}))
        assert json.loads((tmp_path / "r.partial").read_text()) == {"a": 1}
        assert not (tmp_path / "r").exists()


def test_folders_are_made_and_unmade(tmp_path):
    with folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "file").write_text("")
    with pytest.raises(RuntimeError), folder(tmp_path / "c" / "d"):
        raise RuntimeError
    with suppress(RuntimeError), folder(tmp_path / "a" / "e"):
        (tmp_path / "a" / "e" / "file").write_text("")
        raise RuntimeError
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "e", "file", "file"]
    with (
        pytest.raises(OutputError, match="cannot be written"),
        folder(tmp_path / "a" / "b" / "file"),
    ):
        pass


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("a.xyz", "a"),
        ("folder.1/a.2.xyz", "a.2"),
        ("a.1.xyz.gz", "a.1"),
        ("POSCAR", "POSCAR"),
        (".xyz", ".xyz"),
        ("Käse.v2.sdf.xz", "Käse.v2"),
    ],
)
def test_stems(file, stem):
    assert stem_of(file) == stem


def test_a_pipe_is_written_as_it_is_named(tmp_path):
    """``/dev/stdout`` leads to the name of no file when it is a pipe."""
    reader, writer = os.pipe()
    with complete_or_absent(f"/dev/fd/{writer}") as path:
        path.write_text("all of it")
    os.close(writer)
    with os.fdopen(reader) as stream:
        assert stream.read() == "all of it"
