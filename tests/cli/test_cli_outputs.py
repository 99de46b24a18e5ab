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
@pytest.mark.parametrize(
    "arguments",
    [
        ("info",),
        ("run", FORMALDEHYDE),
        ("run", FORMALDEHYDE, "--json", "-"),
        ("--help",),
        ("run", "--help"),
        ("--version",),
    ],
)
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
        ("spectrum", FORMALDEHYDE, "--width-ev", "inf"),
        ("spectrum", FORMALDEHYDE, "--width-ev", "nan"),
        ("spectrum", FORMALDEHYDE, "--max-ev", "nan"),
        ("run", FORMALDEHYDE, "--charge", "99999999999999999999"),
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
    assert not list(Path().glob("*.[pc]*"))


def test_export_finds_out_before_the_work(cli, tiny, monkeypatch):  # noqa: F811
    from mlsemi import batch

    monkeypatch.setattr(batch, "singlepoint", None)
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


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--spacing", "inf", "positive and finite"),
        ("--spacing", "nan", "positive and finite"),
        ("--spacing", "0", "positive and finite"),
        ("--spacing", "1e9", "shows nothing"),
        ("--spacing", "1.5", "shows nothing"),
        ("--spacing", "1e-300", "too large"),
        ("--margin", "inf", "positive and finite"),
        ("--margin", "nan", "positive and finite"),
        ("--margin", "-1", "positive and finite"),
        ("--margin", "1e9", "too large"),
        ("--margin", "1e300", "too large"),
    ],
)
def test_grids_that_cannot_be(cli, tiny, option, value, reason):  # noqa: F811
    found = cli("export", FORMALDEHYDE, "homo", option, value, "-o", "new", "--parameters", tiny)
    assert_one_line_error(found, reason)
    assert not list(Path().iterdir())


NAMES = ["$\\frac$.xyz", "Käse 水.v2.xyz", "_^{.xyz", "a\nb.xyz", "n" * 240 + ".xyz"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_of_a_file(cli, tiny, name):  # noqa: F811
    Path(name).write_text(GOOD)
    drawn = cli("spectrum", name, "--plot", "a.png", "--csv", "a.csv", "--json", "a.json")
    assert drawn.exit_code == 0
    assert Path("a.png").stat().st_size > 1000
    assert json.loads(Path("a.json").read_text())["source"]["file"] == name
    common = ("--spacing", 0.8, "--margin", 1, "--parameters", tiny, "-o", "cubes/of")
    found = cli("export", name, "homo", "ntos:S1", *common)
    assert found.exit_code == 0
    written = sorted(path.name for path in Path("cubes/of").iterdir())
    stem = name.removesuffix(".xyz")[:215]
    assert written == [f"{stem}.homo.cube", f"{stem}.ntos-S1.molden"]
    assert found.stderr.count("mlsemi: wrote ") == 2
    lines = (Path("cubes/of") / written[0]).read_bytes().split(b"\n")
    assert b"homo.cube, parameters" in lines[0]
    assert lines[1].startswith(b"mlsemi; bohr")


def test_names_with_dots_do_not_meet(cli, tiny):  # noqa: F811
    for name in ("a.1.xyz", "a.2.xyz"):
        Path(name).write_text(GOOD)
        more = ("--spacing", 0.8, "--margin", 1, "--parameters", tiny)
        assert cli("export", name, "homo", "HOMO", "homo+0", *more).exit_code == 0
    assert {p.name for p in Path().glob("*.cube")} == {"a.1.homo.cube", "a.2.homo.cube"}


def test_what_was_written_is_said(cli):  # noqa: F811
    outputs = ("--json", "a.json", "--molden", "a.molden")
    result = cli("run", FORMALDEHYDE, *outputs)
    assert result.stderr.splitlines() == [
        "mlsemi: wrote a.json (1 record)",
        "mlsemi: wrote a.molden",
    ]
    result = cli("spectrum", FORMALDEHYDE, "--plot", "a.pdf", "--csv", "a.csv", "--json", "-")
    assert len(result.stdout.splitlines()) == 1
    assert result.stderr.splitlines()[-2:] == ["mlsemi: wrote a.pdf", "mlsemi: wrote a.csv"]
    assert cli("run", FORMALDEHYDE, *outputs, "-q").stderr == ""


def charges_in(molden):
    """Nuclear charges by every section of a Molden file that says something about them."""
    sections, name = {}, ""
    for line in molden.splitlines():
        if line.startswith("["):
            name = line.partition("]")[0].lstrip("[").lower()
            sections[name] = []
        else:
            sections[name].append(line.split())
    numbers = [int(row[2]) for row in sections["atoms"]]
    core = {int(row[0]): int(row[2]) for row in sections["core"]}
    by_core = [z - core.get(i, 0) for i, z in enumerate(numbers, start=1)]
    by_pseudo = [int(row[2]) for row in sections["pseudo"]]
    assert [row[:2] for row in sections["pseudo"]] == [row[:2] for row in sections["atoms"]]
    occupied = sum(float(row[1]) for row in sections["mo"] if row and row[0] == "Occup=")
    return numbers, by_core, by_pseudo, occupied


@pytest.mark.parametrize(
    ("atoms", "numbers", "charges", "total"),
    [
        (("O 0 0 0", "H 0 0 0.96", "H 0.93 0 -0.24"), [8, 1, 1], [6, 1, 1], 0),
        (("H 0 0 0", "C 0 0 1.07", "N 0 0 2.22"), [1, 6, 7], [1, 4, 5], 0),
        (("O 0 0 0", "H 0 0 0.96"), [8, 1], [6, 1], -1),
        (("H 0 0 0", "H 0 0 0.74"), [1, 1], [1, 1], 0),
        (("S 0 0 0", "H 0 0 1.34", "H 1.34 0 0"), [16, 1, 1], [6, 1, 1], 0),
    ],
)
def test_molden_files_hold_the_charge_of_the_molecule(cli, atoms, numbers, charges, total):  # noqa: F811
    Path("m.xyz").write_text(xyz(*atoms))
    assert cli("run", "m.xyz", "--charge", total, "--molden", "m.molden", "-q").exit_code == 0
    found, by_core, by_pseudo, electrons = charges_in(Path("m.molden").read_text())
    assert (found, by_core, by_pseudo) == (numbers, charges, charges)
    assert sum(by_pseudo) - electrons == total
