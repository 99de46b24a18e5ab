"""Many records: bad ones among them, runs that end early, averages, names."""

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

from mlsemi import batch, singlepoint
from mlsemi.errors import ConvergenceError

IRON = xyz("Fe 0 0 0", "H 0 0 1.5")
CUT = "3\nwater\nO 0 0 0\nH 0 0 0.96\n"


def records(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def sdf(*titles):
    """Records of hydrogen molecules."""
    return "".join(
        f"{title}\n\n\n  2  0  0  0  0  0  0  0  0  0999 V2000\n"
        "    0.0000    0.0000    0.0000 H   0  0\n"
        "    0.0000    0.0000    0.7400 H   0  0\n"
        "M  END\n$$$$\n"
        for title in titles
    )


def test_every_bad_record_is_named_before_any_work(cli, monkeypatch):  # noqa: F811
    monkeypatch.setattr(batch, "singlepoint", None)
    Path("a.xyz").write_text(GOOD + IRON + GOOD + xyz("H 0 0 0", "H 0 0 0.01") + GOOD)
    result = cli("run", "a.xyz", "none.xyz", "--json", "out")
    assert (result.exit_code, result.stdout) == (1, "")
    first, second, third, last = result.stderr.splitlines()
    assert "a.xyz, frame 1, atom 0: element Fe" in first
    assert "a.xyz, frame 3: atoms 0 (H) and 1 (H) overlap" in second
    assert "none.xyz: no such file" in third
    assert "3 of 6 structures cannot be used: --skip-errors" in last
    assert not Path("out").exists()


def test_skipped_records_are_named_at_the_end(cli):  # noqa: F811
    Path("a.xyz").write_text(GOOD + IRON + GOOD + IRON)
    result = cli("run", "a.xyz", "--skip-errors", "--json", "out")
    assert result.exit_code == 1
    assert result.stdout.count("HOMO-1") == 2
    assert [r["source"]["frame"] for r in records("out")] == [0, 2]
    wrote, *bad, last = result.stderr.splitlines()
    assert wrote == "mlsemi: wrote out (2 records)"
    assert ["frame 1" in bad[0], "frame 3" in bad[1], len(bad)] == [True, True, 2]
    assert "left out, all others computed" in last
    assert cli("run", FORMALDEHYDE, "--skip-errors", "-q").exit_code == 0
    Path("b.xyz").write_text(IRON + IRON)
    alone = cli("run", "b.xyz", "--skip-errors", "--json", "none")
    assert "2 of 2 structures cannot be used" in alone.stderr
    assert not Path("none").exists()


def test_a_frame_that_ends_early_takes_the_rest_of_its_file_along(cli):  # noqa: F811
    """Where an xyz frame ends is said at its beginning only."""
    Path("a.xyz").write_text(GOOD + CUT + GOOD + GOOD)
    result = cli("run", "a.xyz", "--skip-errors", "-q", "--json", "out")
    assert len(records("out")) == 1
    assert "frame 1, atom 2" in result.stderr
    assert "no frame can be found after it (left out" in result.stderr
    Path("a.sdf").write_text(sdf("one") + sdf("two").replace("  2  0", "  3  0") + sdf("three"))
    result = cli("run", "a.sdf", "--skip-errors", "-q", "--json", "out")
    assert [r["name"] for r in records("out")] == ["one", "three"]


def fails_at(number, error):
    """A single point that fails at its call of this number."""
    real, calls = batch.singlepoint, []

    def run(*arguments, **options):
        calls.append(0)
        if len(calls) == number:
            raise error
        return real(*arguments, **options)

    return run


def test_a_failure_on_the_way(cli, monkeypatch):  # noqa: F811
    monkeypatch.setattr(batch, "singlepoint", fails_at(3, ConvergenceError("no")))
    result = cli("run", SNAPSHOTS, "-q", "--json", "out")
    assert result.exit_code == 1
    kept, error = result.stderr.splitlines()
    assert kept == "mlsemi: out.partial holds the 2 records finished before"
    assert error.endswith("frame 2: no")
    assert [r["source"]["frame"] for r in records("out.partial")] == [0, 1]
    monkeypatch.setattr(batch, "singlepoint", singlepoint)
    monkeypatch.setattr(batch, "singlepoint", fails_at(3, ConvergenceError("no")))
    result = cli("run", SNAPSHOTS, "-q", "--json", "out", "--skip-errors")
    assert result.exit_code == 1
    assert [r["source"]["frame"] for r in records("out")] == [0, 1, 3, 4]
    assert {path.name for path in Path().iterdir()} == {"out"}
    assert "frame 2: no (left out" in result.stderr


def test_a_full_disk_is_no_bad_record(cli):  # noqa: F811
    if not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    result = cli("run", SNAPSHOTS, "-q", "--skip-errors", "--json", "/dev/full")
    assert_one_line_error(result, "/dev/full: cannot be written")


def heed_interrupts():
    """A suite that is started in the background ignores them, and what it starts does so too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGTERM, 143, "mlsemi: error: ended by SIGTERM"),
        (signal.SIGINT, 130, "mlsemi: error: interrupted"),
        (signal.SIGKILL, -9, None),
    ],
)
def test_records_of_a_run_that_is_ended_survive(tmp_path, tiny, number, status, said):  # noqa: F811
    (tmp_path / "many.xyz").write_text(Path(SNAPSHOTS).read_text() * 1000)
    command = [sys.executable, "-m", "mlsemi.cli", "run", "many.xyz", "-q", "--json", "out"]
    with subprocess.Popen(
        [*command, "--parameters", tiny],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(batch.__file__).parents[1])},
        preexec_fn=heed_interrupts,
    ) as process:
        partial = tmp_path / "out.partial"
        while process.poll() is None and not (partial.exists() and partial.stat().st_size):
            time.sleep(0.02)
        process.send_signal(number)
        error = process.communicate(timeout=60)[1]
    assert process.returncode == status, error
    found = records(partial)
    assert [r["source"]["frame"] for r in found] == list(range(len(found)))
    assert len(found) >= 1
    assert {path.name for path in tmp_path.iterdir()} == {"many.xyz", "out.partial"}
    if said:
        what = f"{len(found)} record{'s' if len(found) > 1 else ''} finished before"
        assert error.splitlines() == [f"mlsemi: out.partial holds the {what}", said]


@pytest.mark.skipif(os.name != "posix", reason="pipes")
@pytest.mark.parametrize("more", [("--json", "-"), ()])
def test_a_pipe_that_nobody_reads(tmp_path, tiny, more):  # noqa: F811
    command = [sys.executable, "-m", "mlsemi.cli", "run", FORMALDEHYDE, "--parameters", tiny, *more]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command,
        stdout=writing,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(batch.__file__).parents[1])},
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_names_of_records(cli):  # noqa: F811
    Path("a.sdf").write_text(sdf("aspirin", "", "  two  words "))
    shown = cli("run", "a.sdf", "--json", "out").stdout
    assert [r.get("name") for r in records("out")] == ["aspirin", None, "two words"]
    assert "a.sdf, frame 0: aspirin\n" in shown
    assert "a.sdf, frame 1\n" in shown
    Path("b.xyz").write_text(GOOD + GOOD.replace("water", "charge=0"))
    cli("run", "b.xyz", "--json", "out", "-q")
    assert [r.get("name") for r in records("out")] == ["water", None]
    Path("c.pdb").write_text(
        "COMPND    HYDROGEN\n"
        "HETATM    1  H1  UNL     1       0.000   0.000   0.000  1.00  0.00           H\n"
        "HETATM    2  H2  UNL     1       0.000   0.000   0.740  1.00  0.00           H\nEND\n"
    )
    cli("run", "c.pdb", "--json", "out", "-q")
    assert [r.get("name") for r in records("out")] == ["HYDROGEN"]


def test_charges_are_not_averaged(cli):  # noqa: F811
    Path("a.xyz").write_text(GOOD + GOOD.replace("water", "charge=2"))
    assert cli("spectrum", "a.xyz", "--singlets", 2, "--csv", "a.csv", "-q").exit_code == 0
    header = Path("a.csv").read_text().splitlines()[0]
    assert header == "energy_ev,wavelength_nm,a,a (2)"
    assert cli("spectrum", "a.xyz", "--singlets", 2, "-q").exit_code == 0


def energies_of_frames(cli):  # noqa: F811
    cli("spectrum", SNAPSHOTS, "--singlets", 1, "-q", "--json", "states")
    return [r["excitations"]["singlets"][0]["energy_ev"] for r in records("states")]


def test_frames_without_a_state_in_range_count_as_empty(cli):  # noqa: F811
    lowest = sorted(energies_of_frames(cli))
    limit = 0.5 * (lowest[2] + lowest[3])
    more = ("--csv", "a.csv", "--width-ev", 0.001)
    result = cli("spectrum", SNAPSHOTS, "--max-ev", limit, *more)
    assert result.exit_code == 0
    assert result.stdout.count("No singlets in the range asked for") == 2
    rows = np.loadtxt("a.csv", delimiter=",", skiprows=1)
    assert rows[-1, 0] == pytest.approx(lowest[2] + 0.002, abs=1e-4)  # fallen off by itself
    assert "the curve ends" not in result.stderr
    result = cli("spectrum", SNAPSHOTS, "--max-ev", 0.5 * lowest[0], "--csv", "b.csv", "-q")
    assert_one_line_error(result, "no excited state lies above the ground state and in the range")


def test_curves_end_where_states_were_not_computed(cli):  # noqa: F811
    """Half of a spectrum agrees with all of it as far as it goes."""
    cli("spectrum", FORMALDEHYDE, "--singlets", 24, "-q", "--csv", "all.csv", "--json", "all")
    states = [s["energy_ev"] for s in records("all")[0]["excitations"]["singlets"]]
    every = np.loadtxt("all.csv", delimiter=",", skiprows=1)
    limit = 0.5 * (states[5] + states[6])
    result = cli("spectrum", FORMALDEHYDE, "--max-ev", limit, "--csv", "a.csv", "--plot", "a.png")
    assert f"ends at {limit - 0.4:.2f} eV" in result.stderr
    some = np.loadtxt("a.csv", delimiter=",", skiprows=1)
    assert some[-1, 0] == pytest.approx(limit - 0.4, abs=0.01)
    expected = np.interp(some[:, 0], every[:, 0], every[:, 2])
    np.testing.assert_allclose(some[:, 2], expected, atol=0.07 * every[:, 2].max())
    cli("spectrum", FORMALDEHYDE, "--singlets", 6, "-q", "--csv", "b.csv")
    last = np.loadtxt("b.csv", delimiter=",", skiprows=1)[-1, 0]
    assert last == pytest.approx(states[5] - 0.4, abs=0.01)


def test_a_spectrum_keeps_no_results(cli, monkeypatch):  # noqa: F811
    import weakref

    alive, most = weakref.WeakSet(), []
    real = batch.singlepoint

    def watched(*arguments, **options):
        result = real(*arguments, **options)
        alive.add(result)
        most.append(len(alive))
        return result

    monkeypatch.setattr(batch, "singlepoint", watched)
    assert cli("spectrum", SNAPSHOTS, "--singlets", 2, "-q", "--csv", "a.csv").exit_code == 0
    assert len(most) == 5
    assert max(most) <= 2
