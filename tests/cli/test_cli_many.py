"""Batches of the command line: processes, clusters, summaries, runs that go on, SMILES, --opt."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import GOOD, xyz
from test_cli import FORMALDEHYDE, SNAPSHOTS, assert_one_line_error, cli, tiny  # noqa: F401
from test_cli_batches import IRON, records, sdf

import mlsemi
from mlsemi import batch
from mlsemi.cli.work import batches
from mlsemi.draw.summary import COLUMNS

SHIFTED = GOOD.replace("0.763", "0.773")


def rows(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def same(before, after):
    for record in (*before, *after):
        record.pop("timings_s")
    return before == after


def test_processes_give_the_same_in_the_same_order(cli):  # noqa: F811
    Path("a.xyz").write_text("".join(GOOD.replace("water", f"water {k}") for k in range(40)))
    cli("run", "a.xyz", SNAPSHOTS, "-q", "--json", "one", "--singlets", 2)
    result = cli("run", "a.xyz", SNAPSHOTS, "--json", "two", "--singlets", 2, "--processes", 2)
    assert result.exit_code == 0
    assert result.stdout.count("Orbitals\n") == 45
    assert same(records("one"), records("two"))
    assert [r["name"] for r in records("two")[:40]] == [f"water {k}" for k in range(40)]


def test_the_workers_of_a_scheduler(cli):  # noqa: F811
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
    ):
        address = cluster.scheduler_address
        result = cli("run", SNAPSHOTS, "-q", "--json", "two", "--scheduler", address)
        assert result.exit_code == 0
    cli("run", SNAPSHOTS, "-q", "--json", "one")
    assert same(records("one"), records("two"))


def test_a_summary_has_a_row_for_each(cli):  # noqa: F811
    Path("a.sdf").write_text(sdf("first", "second, with a comma"))
    Path("b.xyz").write_text(GOOD + IRON)
    result = cli("run", "a.sdf", "b.xyz", "-q", "--csv", "t.csv", "--singlets", 2, "--skip-errors")
    assert result.exit_code == 1
    found = rows("t.csv")
    assert list(found[0]) == list(COLUMNS)
    assert [row["name"] for row in found] == ["first", "second, with a comma", "water", ""]
    assert [row["formula"] for row in found] == ["H2", "H2", "H2O", ""]
    assert "element Fe" in found[3]["error"]
    assert found[3]["file"] == "b.xyz"
    cli("run", "b.xyz", "-q", "--json", "r", "--singlets", 2, "--skip-errors")
    (record,) = records("r")
    states = record["excitations"]["singlets"]
    bright = max(states, key=lambda s: s["oscillator_strength"])
    for key, value in (
        ("energy_ev", record["energy_ev"]),
        ("gap_ev", record["gap_ev"]),
        ("s1_ev", states[0]["energy_ev"]),
        ("bright_ev", bright["energy_ev"]),
        ("bright_f", bright["oscillator_strength"]),
    ):
        assert float(found[2][key]) == pytest.approx(value, abs=1e-5)


def test_summary_on_standard_output(cli):  # noqa: F811
    shown = cli("run", FORMALDEHYDE, "-q", "--csv", "-").stdout.splitlines()
    assert shown[0].startswith("name,file,frame,formula")
    assert len(shown) == 2


def test_a_run_goes_on_where_it_was_ended(cli, monkeypatch):  # noqa: F811
    Path("a.xyz").write_text("".join(GOOD.replace("water", f"water {k}") for k in range(6)))
    outputs = ("--json", "out", "--csv", "t.csv", "--singlets", "1")
    cli("run", "a.xyz", "-q", *outputs)
    whole, table = records("out"), rows("t.csv")
    lines = Path("out").read_text().splitlines(keepends=True)
    Path("out.partial").write_text("".join(lines[:3]) + lines[3][:50])
    text = Path("t.csv").read_text().splitlines(keepends=True)
    Path("t.csv.partial").write_text("".join(text[:3]))  # the header and two rows
    Path("out").unlink()
    Path("t.csv").unlink()
    seen = []
    real = batch.singlepoint
    monkeypatch.setattr(batch, "singlepoint", lambda *a, **b: seen.append(0) or real(*a, **b))
    result = cli("run", "a.xyz", *outputs, "--resume")
    assert result.exit_code == 0
    assert len(seen) == 4
    assert same(records("out"), whole)
    assert rows("t.csv") == table
    assert "wrote out (6 records)" in result.stderr
    assert not list(Path().glob("*.partial"))
    seen.clear()
    assert cli("run", "a.xyz", *outputs, "--resume", "-q").exit_code == 0
    assert not seen
    Path("a.xyz").write_text(Path("a.xyz").read_text() + GOOD)  # one more
    cli("run", "a.xyz", *outputs, "--resume", "-q")
    assert (len(seen), len(records("out"))) == (1, 7)


def test_another_run_is_not_gone_on_with(cli):  # noqa: F811
    Path("a.xyz").write_text(GOOD)
    cli("run", "a.xyz", "-q", "--json", "out", "--csv", "t.csv")
    asked = cli("run", "a.xyz", "--json", "out", "--resume", "--singlets", 1)
    assert_one_line_error(asked, "the earlier run asked for something else")
    Path("a.xyz").write_text(SHIFTED)
    moved = cli("run", "a.xyz", "--json", "out", "--resume")
    assert_one_line_error(moved, "a.xyz, frame 0: --resume: .* another structure")
    Path("a.xyz").write_text(xyz("H 0 0 0", "H 0 0 0.74"))
    assert_one_line_error(cli("run", "a.xyz", "--csv", "t.csv", "--resume"), "another structure")
    Path("other").write_text("hello\n")
    assert_one_line_error(cli("run", "a.xyz", "--json", "other", "--resume"), "no record")
    assert_one_line_error(cli("run", "a.xyz", "--csv", "other", "--resume"), "no summary")
    assert Path("other").read_text() == "hello\n"
    assert cli("run", "a.xyz", "--resume").exit_code == 2


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_run_loses_what_was_running(tmp_path, tiny):  # noqa: F811
    """Also its workers end."""
    (tmp_path / "many.xyz").write_text(Path(SNAPSHOTS).read_text() * 60)
    command = [sys.executable, "-m", "mlsemi.cli", "run", "many.xyz", "-q", "--json", "out"]
    command += ["--parameters", tiny, "--processes", "2"]
    environment = os.environ | {"PYTHONPATH": str(Path(batch.__file__).parents[1])}
    partial = tmp_path / "out.partial"
    with subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True) as first:
        while first.poll() is None and not (partial.exists() and partial.stat().st_size):
            time.sleep(0.02)
        first.kill()
    finished = len(records(partial))
    assert 1 <= finished < 300
    again = subprocess.run([*command, "--resume"], cwd=tmp_path, env=environment, check=False)
    assert again.returncode == 0
    found = records(tmp_path / "out")
    assert [r["source"]["frame"] for r in found] == list(range(300))
    for _ in range(100):
        try:
            os.killpg(first.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(first.pid, signal.SIGKILL)
    pytest.fail("workers of a killed run are still there")


def test_beyond_the_first_structures_a_batch_is_a_stream(cli, monkeypatch):  # noqa: F811
    monkeypatch.setattr(batches, "LOOK_AHEAD", 3)
    Path("a.xyz").write_text(GOOD * 5 + IRON + GOOD)
    result = cli("run", "a.xyz", "-q", "--json", "out")
    assert result.exit_code == 1
    assert len(records("out.partial")) == 5
    assert "a.xyz, frame 5, atom 0: element Fe" in result.stderr
    result = cli("run", "a.xyz", "-q", "--json", "out", "--resume", "--skip-errors")
    assert len(records("out")) == 6
    assert "element Fe" in result.stderr
    Path("a.xyz").write_text(GOOD + IRON + GOOD * 5)
    result = cli("run", "a.xyz", "-q", "--json", "none")
    assert "a.xyz, frame 1, atom 0" in result.stderr


def test_smiles_on_the_command_line(cli):  # noqa: F811
    result = cli("run", "smiles:O", "--smiles", "C", "-q", "--json", "-")
    first, second = map(json.loads, result.stdout.splitlines())
    assert (first["name"], second["name"]) == ("O", "C")
    assert first["source"]["file"] == "smiles:O"
    wrong = cli("run", "CCO")
    assert_one_line_error(wrong, "CCO: no such file; a SMILES is given as smiles:CCO")


def test_structures_are_relaxed_on_request(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from typer.testing import CliRunner

    from mlsemi.cli import app

    found = CliRunner().invoke(app, ["run", "smiles:C=O", "--opt", "--forces", "--json", "-"])
    record = json.loads(found.stdout)
    assert np.abs(record["forces_ev_per_angstrom"]).max() < 0.01
    assert record["requested"] == {"forces": True, "opt": True}
    start = mlsemi.singlepoint("smiles:C=O")
    assert record["energy_ev"] < start.to_dict()["energy_ev"]


def test_memory_does_not_grow_with_the_number(tmp_path, tiny):  # noqa: F811
    """A result of water takes 40 kB: 36 MB of 900."""
    code = (
        "import resource, sys; from mlsemi.cli import app; from mlsemi.cli.work import batches\n"
        "batches.LOOK_AHEAD = 50\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for number in (100, 1000):
        (tmp_path / "many.xyz").write_text(GOOD * number)
        command = [sys.executable, "-c", code, "run", "many.xyz", "-q", "--csv", "t.csv"]
        done = subprocess.run(
            [*command, "--parameters", tiny],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(Path(batch.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout.split()[-1]) / 1024)
        assert len(rows(tmp_path / "t.csv")) == number
    assert peaks[1] - peaks[0] < 6.0


def test_spectra_of_several_molecules(cli):  # noqa: F811
    Path("a.sdf").write_text(sdf("one", "two", "two"))
    Path("m.csv").write_text("nm,A\n80,1\n120,3\n300,2\n")
    options = ("--singlets", 1, "-q", "--csv", "t.csv", "--plot", "t.svg")
    for more in ((), ("--stack",), ("--experiment", "m.csv")):
        assert cli("spectrum", "a.sdf", FORMALDEHYDE, SNAPSHOTS, *options, *more).exit_code == 0
    header = Path("t.csv").read_text().splitlines()[0].split(",")
    assert header[2:] == ["one", "two", "two (2)", "formaldehyde", "formaldehyde-300K"]
    assert "one" in Path("t.svg").read_text()
    assert cli("spectrum", FORMALDEHYDE, "--stack").exit_code == 2
    lost = cli("spectrum", FORMALDEHYDE, "--experiment", "no.csv", "--plot", "a.png")
    assert_one_line_error(lost, "no.csv: cannot be read")
