"""Outputs that would harm something, options that cannot be, and lists that are not there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bad_inputs import GOOD, xyz
from test_cli import FORMALDEHYDE, assert_one_line_error, cli, tiny  # noqa: F401
from typer.testing import CliRunner

from mlsemi.cli import app
from mlsemi.errors import InputError
from mlsemi.outputs import check_writable


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "w.xyz", "--json", "w.xyz"),
        ("run", "w.xyz", "--molden", "./w.xyz"),
        ("spectrum", "w.xyz", "--csv", "w.xyz"),
        ("run", "w.xyz", "--json", "out", "--molden", "out"),
        ("spectrum", "w.xyz", "--csv", "a.csv", "--json", "./a.csv"),
        ("select", "w.xyz", "-n", "1", "-o", "./w.xyz"),
        ("surfaces", "w.xyz", "-o", "w.xyz"),
        ("validate", "any", "w.xyz", "--json", "w.xyz"),
    ],
)
def test_no_output_replaces_an_input_or_another_output(cli, arguments):  # noqa: F811
    Path("w.xyz").write_text(GOOD)
    assert_one_line_error(cli(*arguments), "cannot be two files at once")
    assert Path("w.xyz").read_text() == GOOD
    assert [path.name for path in Path().iterdir()] == ["w.xyz"]


def test_devices_may_be_given_twice(cli):  # noqa: F811
    assert cli("run", FORMALDEHYDE, "--json", os.devnull, "--molden", os.devnull).exit_code == 0


def test_a_read_only_file_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "kept"
    path.write_text("precious")
    monkeypatch.setattr(os, "access", lambda file, mode: mode != os.W_OK)  # root may write all
    with pytest.raises(InputError, match=r"kept: cannot be written \(it is read-only\)"):
        check_writable(path)
    assert path.read_text() == "precious"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [("info",), ("run", FORMALDEHYDE, "--json", "-")])
def test_a_full_disk_is_one_line(arguments):
    command = [sys.executable, "-m", "mlsemi.cli", *arguments]
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=buffered)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("mlsemi: error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", FORMALDEHYDE, "--threads", "100000"),
        ("run", FORMALDEHYDE, "--molden", "-"),
        ("spectrum", FORMALDEHYDE, "--lorentz-ev", "0.1"),
    ],
)
def test_wrong_usage(arguments):
    assert CliRunner().invoke(app, list(arguments)).exit_code == 2


@pytest.mark.parametrize("command", ["select", "surfaces"])
def test_a_missing_list_is_one_line(cli, command):  # noqa: F811
    more = ("-n", "3") if command == "select" else ()
    assert_one_line_error(cli(command, "none.smi", *more, "-o", "out"), "none.smi: cannot be read")
    assert_one_line_error(cli(command, ".", *more, "-o", "out"), r"\.: cannot be read")


def test_nothing_to_draw_and_nothing_drawn(cli):  # noqa: F811
    Path("w.xyz").write_text(GOOD)
    result = cli("spectrum", "w.xyz", "--max-ev", "0.01", "--plot", "w.png", "-q")
    assert_one_line_error(result, "w.xyz: no excited state lies above")
    Path("mixed.xyz").write_text(GOOD + xyz("H 0 0 0", "H 0 0 0.74"))
    result = cli("spectrum", "mixed.xyz", "--csv", "m.csv")
    assert_one_line_error(result, "mixed.xyz: frames 0 and 1")
    assert not list(Path().glob("*.[pc]*"))


def test_export_finds_out_before_the_work(cli, tiny, monkeypatch):  # noqa: F811
    from mlsemi import jobs

    monkeypatch.setattr(jobs, "singlepoint", None)
    for name, text in (("lumo+99", "no orbital 10[0-9]"), ("hole:S99", "no excited state S99")):
        result = cli("export", FORMALDEHYDE, "homo", name, "--parameters", tiny)
        assert_one_line_error(result, "formaldehyde.xyz, frame 0: " + text)
    assert not list(Path().iterdir())


def test_states_below_the_ground_state_have_no_wavelength(cli):  # noqa: F811
    Path("far.xyz").write_text(xyz("C 0 0 0", "C 0 0 9"))
    record = json.loads(cli("run", "far.xyz", "--singlets", "4", "--json", "-").stdout)
    states = record["excitations"]["singlets"]
    assert len(states) == 4
    for state in states:
        assert (state["wavelength_nm"] is None) == (state["energy_ev"] <= 0.0)
