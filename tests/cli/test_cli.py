import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import BAD, GOOD, xyz
from tiny import write_tiny_parameters
from typer.testing import CliRunner

from mlsemi.cli import app
from mlsemi.cli.options import DEFAULT_PARAMETERS, MOST_THREADS
from mlsemi.machine import threads
from mlsemi.units import AU_DEBYE, BOHR_ANGSTROM

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
FORMALDEHYDE = str(EXAMPLES / "formaldehyde.xyz")
SNAPSHOTS = str(EXAMPLES / "formaldehyde-300K.xyz")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(write_tiny_parameters(tmp_path_factory.mktemp("parameters") / "tiny"))


@pytest.fixture
def cli(tiny, tmp_path, monkeypatch):
    """Run the command line in an empty directory, with random parameters where any are used."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*arguments, stdin=None, parameters=tiny):
        if arguments[0] in ("run", "spectrum"):
            arguments = (*arguments, "--parameters", parameters)
        result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def assert_one_line_error(result, *patterns):
    assert result.exit_code == 1
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("mlsemi: error: ")
    for pattern in patterns:
        assert re.search(pattern, lines[0]), lines[0]


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("command", ["run", "spectrum"])
def test_bad_structures(cli, name, command):
    content, reason = BAD[name]
    Path(name).write_text(content)
    assert_one_line_error(cli(command, name, "--json", "-"), re.escape(name), reason)


def test_bad_structure_after_a_good_one_stops_before_any_work(cli):
    Path("good.xyz").write_text(GOOD)
    Path("bad.xyz").write_text(BAD["truncated.xyz"][0])
    result = cli("run", "good.xyz", "bad.xyz", "--json", "out.json")
    assert_one_line_error(result, "bad.xyz, frame 0")
    assert not Path("out.json").exists()


def test_missing_file_and_directory(cli, tmp_path):
    assert_one_line_error(cli("run", "missing.xyz"), "missing.xyz: no such file")
    assert_one_line_error(cli("run", tmp_path), "is a directory")


def test_standard_input(cli):
    record = json.loads(cli("run", "-", "--json", "-", stdin=GOOD).stdout)
    assert record["structure"]["symbols"] == ["O", "H", "H"]
    assert_one_line_error(cli("run", "-", stdin=""), "standard input: is empty")
    assert_one_line_error(
        cli("run", "-", stdin=BAD["unknown.xyz"][0]), "standard input, frame 0, atom 1: unknown"
    )
    assert_one_line_error(cli("run", "-", "-", stdin=GOOD), "only once")


def test_charges_and_multiplicities(cli):
    Path("water.xyz").write_text(GOOD)
    found = cli("run", "water.xyz", "--charge", "1", "--json", "-")
    assert json.loads(found.stdout)["structure"]["multiplicity"] == 2
    assert "water.xyz, frame 0: an odd number of electrons: taken as a radical" in found.stderr
    found = cli("run", "water.xyz", "--multiplicity", "3", "--json", "-")
    assert json.loads(found.stdout)["n_occupied_beta"] == 3
    for charge, multiplicity in ((1, 1), (0, 2), (1, 3)):
        found = cli("run", "water.xyz", "--charge", charge, "--multiplicity", multiplicity)
        assert_one_line_error(found, f"water.xyz, frame 0: .* multiplicity {multiplicity}: it must")
    assert_one_line_error(cli("run", "water.xyz", "--multiplicity", "0"), "multiplicity 0: 1 is a")
    assert_one_line_error(cli("run", "water.xyz", "--charge", "8"), "charge 8 leaves 0")
    assert_one_line_error(cli("run", "water.xyz", "--charge", "-6"), "charge -6 leaves 14")


def test_element_without_parameters(cli):
    Path("hf.xyz").write_text(xyz("H 0 0 0", "F 0 0 0.92"))
    assert_one_line_error(cli("run", "hf.xyz"), "hf.xyz, frame 0, atom 1: element F is not in")
    Path("iron.xyz").write_text(xyz("Fe 0 0 0"))
    assert_one_line_error(
        cli("run", "iron.xyz"),
        "iron.xyz, frame 0, atom 0: element Fe has no valence basis; "
        "parameter set tiny is trained for H C N O S",
    )


def test_missing_and_corrupted_parameters(cli, tiny):
    assert_one_line_error(cli("run", FORMALDEHYDE, parameters="nowhere"), "nowhere")
    for name, damage in {
        "header.json": lambda data: data[: len(data) // 2],
        "weights.npz": lambda data: data[: len(data) // 2],
    }.items():
        folder = shutil.copytree(tiny, f"cut-{name}")
        file = Path(folder) / name
        file.write_bytes(damage(file.read_bytes()))
        assert_one_line_error(cli("run", FORMALDEHYDE, parameters=str(folder)), f"cut-{name}")
    folder = Path(shutil.copytree(tiny, "altered"))
    with np.load(folder / "weights.npz") as data:
        weights = dict(data)
    weights["level"] = weights["level"] + 1e-12
    np.savez(folder / "weights.npz", **weights)
    assert_one_line_error(cli("run", FORMALDEHYDE, parameters=str(folder)), "checksum")
    shutil.rmtree(folder)
    assert_one_line_error(cli("info", "altered"), "altered")


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", FORMALDEHYDE, "--json", "none/out.json"),
        ("run", FORMALDEHYDE, "--json", "."),
        ("run", FORMALDEHYDE, "--molden", "none/out.molden"),
        ("spectrum", FORMALDEHYDE, "--plot", "none/out.png"),
        ("spectrum", FORMALDEHYDE, "--csv", "none/out.csv"),
    ],
)
def test_unwritable_output_is_found_before_the_work(cli, arguments, monkeypatch):
    from mlsemi import batch

    monkeypatch.setattr(batch, "singlepoint", None)
    assert_one_line_error(cli(*arguments), "cannot be written")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("walk",),
        ("run",),
        ("run", FORMALDEHYDE, "--singlets", "-1"),
        ("run", FORMALDEHYDE, "--threads", "0"),
        ("run", FORMALDEHYDE, "--charge", "half"),
        ("run", FORMALDEHYDE, "--no-such-option"),
        ("spectrum", FORMALDEHYDE, "--singlets", "3", "--max-ev", "5"),
        ("spectrum", FORMALDEHYDE, "--width-ev", "0"),
        ("reference", "molecules.smi"),
        ("reference", "-o", "out.h5"),
        ("train",),
        ("validate", "organic-1"),
    ],
)
def test_wrong_usage_exits_with_2(cli, arguments, tiny):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_json_is_pure_and_complete(cli):
    result = cli("run", FORMALDEHYDE, "--singlets", 3, "--triplets", 2, "--forces", "--json", "-")
    record = json.loads(result.stdout, parse_constant=pytest.fail)
    assert len(result.stdout.splitlines()) == 1
    assert set(record) >= {
        "mlsemi_version",
        "parameters",
        "structure",
        "orbital_energies_ev",
        "n_occupied",
        "homo_ev",
        "lumo_ev",
        "gap_ev",
        "charges_e",
        "dipole_e_angstrom",
        "bond_orders",
        "energy_ev",
        "forces_ev_per_angstrom",
        "excitations",
        "warnings",
        "timings_s",
    }
    assert record["n_occupied"] == 6
    assert len(record["orbital_energies_ev"]) == 10
    assert record["gap_ev"] == pytest.approx(record["lumo_ev"] - record["homo_ev"])
    assert sum(record["charges_e"]) == pytest.approx(0.0, abs=1e-8)
    assert np.shape(record["forces_ev_per_angstrom"]) == (4, 3)
    assert [len(record["excitations"][k]) for k in ("singlets", "triplets")] == [3, 2]
    first = record["excitations"]["singlets"][0]
    assert first["wavelength_nm"] * first["energy_ev"] == pytest.approx(1239.84, abs=0.01)
    assert {"from", "to", "weight"} == set(first["contributions"][0])


def test_keys_not_asked_for_are_absent(cli):
    record = json.loads(cli("run", FORMALDEHYDE, "--json", "-").stdout)
    assert not {"forces_ev_per_angstrom", "excitations"} & set(record)


def test_dispersion_and_electronic_temperature(cli):
    cold, plain, warm = (
        cli("run", FORMALDEHYDE, *more, "--json", "-", "--quiet")
        for more in ((), ("--no-dispersion",), ("--electronic-temperature", 15000))
    )
    cold, plain, warm = (json.loads(result.stdout) for result in (cold, plain, warm))
    assert cold["energy_ev"] - plain["energy_ev"] == pytest.approx(cold["dispersion_ev"])
    assert "dispersion_ev" not in plain
    assert warm["electronic_temperature_k"] == pytest.approx(15000.0)
    assert sum(warm["occupations"]) == pytest.approx(12.0)
    assert warm["energy_ev"] < cold["energy_ev"]
    shown = cli("run", FORMALDEHYDE, "--electronic-temperature", 15000).stdout
    assert "free energy" in shown
    assert "of it dispersion" in shown
    assert f"{warm['occupations'][5]:.3f}" in shown


def test_several_structures_give_one_line_each(cli):
    result = cli("run", SNAPSHOTS, FORMALDEHYDE, "--json", "out.jsonl", "--quiet")
    assert (result.stdout, result.stderr) == ("", "")
    records = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [r["source"]["frame"] for r in records] == [0, 1, 2, 3, 4, 0]
    assert len({r["energy_ev"] for r in records}) == 6


def test_atom_order_does_not_matter(cli):
    lines = Path(FORMALDEHYDE).read_text().splitlines()
    Path("shuffled.xyz").write_text("\n".join(lines[:2] + lines[:1:-1]) + "\n")
    one, two = (
        json.loads(cli("run", path, "--json", "-").stdout)
        for path in (FORMALDEHYDE, "shuffled.xyz")
    )
    assert one["energy_ev"] == pytest.approx(two["energy_ev"], abs=1e-8)
    assert one["charges_e"] == pytest.approx(two["charges_e"][::-1], abs=1e-8)


def test_tables(cli):
    result = cli("run", FORMALDEHYDE, "--singlets", 2, "--triplets", 1, "--forces")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert not [line for line in result.stdout.splitlines() if line != line.rstrip()]
    for word in ("HOMO", "LUMO+1", "gap", "dipole", "CH2O", "Forces", "S2", "T1", "formaldehyde"):
        assert word in result.stdout
    record = json.loads(cli("run", FORMALDEHYDE, "--json", "-").stdout)
    debye = np.linalg.norm(record["dipole_e_angstrom"]) * AU_DEBYE / BOHR_ANGSTROM
    assert f"dipole {debye:.3f} D" in result.stdout


def test_warnings_go_to_standard_error_and_into_the_json(cli):
    Path("box.xyz").write_text(GOOD.replace("water", "charge 0"))
    words, result = "the charge is taken as 0", cli("run", "box.xyz", "--json", "-")
    assert f"mlsemi: warning: box.xyz, frame 0: {words}" in result.stderr
    assert words in json.loads(result.stdout)["warnings"][0]
    assert cli("run", "box.xyz", "--quiet").stderr == ""


def test_molden(cli):
    assert cli("run", FORMALDEHYDE, "--molden", "out.molden").exit_code == 0
    assert Path("out.molden").read_text().startswith("[Molden Format]")
    assert_one_line_error(cli("run", SNAPSHOTS, "--molden", "out.molden"), "single structure")


def test_spectrum_files(cli):
    for suffix in ("png", "svg", "pdf"):
        result = cli(
            "spectrum", FORMALDEHYDE, "--singlets", 4, "--plot", f"s.{suffix}", "--csv", "s.csv"
        )
        assert result.exit_code == 0
        assert "S4" in result.stdout
        assert Path(f"s.{suffix}").stat().st_size > 1000
    rows = np.loadtxt("s.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(rows[:, 0] * rows[:, 1], 1239.84, rtol=1e-4)
    assert rows[:, 2].max() > 0.0
    assert_one_line_error(cli("spectrum", FORMALDEHYDE, "--plot", "s.jpeg"), ".png, .svg, .pdf")


def test_spectrum_below_an_energy(cli):
    def energies(*arguments):
        record = json.loads(cli("spectrum", FORMALDEHYDE, *arguments, "--json", "-").stdout)
        return [state["energy_ev"] for state in record["excitations"]["singlets"]]

    everything = energies("--singlets", 24)
    limit = 0.5 * (everything[3] + everything[4])
    assert energies("--max-ev", limit) == pytest.approx(everything[:4], abs=1e-4)


def test_spectrum_of_an_ensemble_is_the_mean(cli):
    assert cli("spectrum", SNAPSHOTS, "--csv", "mean.csv", "--cd", "--plot", "m.png").exit_code == 0
    mean = np.loadtxt("mean.csv", delimiter=",", skiprows=1)
    lines = Path(SNAPSHOTS).read_text().splitlines()
    expected, ends = np.zeros(len(mean)), []
    for k in range(5):
        Path("one.xyz").write_text("\n".join(lines[6 * k : 6 * k + 6]) + "\n")
        cli("spectrum", "one.xyz", "--csv", "one.csv")
        one = np.loadtxt("one.csv", delimiter=",", skiprows=1)
        expected += np.interp(mean[:, 0], one[:, 0], one[:, 2], left=0.0) / 5
        ends.append(one[-1, 0])
    np.testing.assert_allclose(mean[:, 2], expected, atol=1e-4 * mean[:, 2].max())
    assert mean[-1, 0] == pytest.approx(min(ends), abs=1e-4)


def test_info(cli, tiny):
    assert cli("info").exit_code == 0
    shown = cli("info", tiny).stdout
    assert "random weights" in shown
    assert "H C N O S" in shown
    Path("bad.h5").write_text("not a dataset")
    assert_one_line_error(cli("info", "bad.h5"), "bad.h5")


def test_info_of_a_dataset(cli):
    from molecules import distorted, random_model
    from teacher import lesson

    from mlsemi.training.data.dataset import ReferenceDataset

    records = tuple(lesson(random_model(), distorted(name), name) for name in ("H2O", "HCN"))
    ReferenceDataset(records, {"method": "teacher"}).save("two.h5")
    shown = cli("info", "two.h5", "--plot", "two.svg").stdout
    assert "all         2          2" in shown
    assert "heavy atoms" in shown
    assert "teacher" in shown
    assert "dipole / D" in Path("two.svg").read_text()
    both = cli("info", "two.h5", "two.h5").stdout
    assert "records with element" in both
    assert "checksum" not in both
    assert cli("info", "--plot", "two.svg").exit_code == 2
    assert cli("info", "two.h5", "organic-1").exit_code == 2


def test_default_parameters_agree():
    from mlsemi.sets.releases import DEFAULT

    assert DEFAULT == DEFAULT_PARAMETERS
    assert MOST_THREADS == threads.MOST


def test_missing_optional_dependency_is_one_line(cli, monkeypatch):
    import mlsemi.training.reference.commands as commands

    def needs_pyscf(*_, **__):
        raise ModuleNotFoundError("No module named 'pyscf'", name="pyscf")

    monkeypatch.setattr(commands, "reference_command", needs_pyscf)
    result = cli("reference", "molecules.smi", "-o", "out.h5")
    assert_one_line_error(result, r"pip install 'mlsemi\[reference\]'")


def run_python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tempfile.gettempdir(),
        **options,
    )


def test_help_and_import_stay_light():
    heavy = ("numba", "matplotlib", "scipy", "ase", "numpy", "pyscf", "h5py")
    code = f"import sys, mlsemi, mlsemi.cli; print([m for m in {heavy} if m in sys.modules])"
    assert run_python("-c", code).stdout.strip() == "[]"
    shown = run_python("-m", "mlsemi.cli", "run", "--help").stdout
    assert "mlsemi run caffeine.xyz --singlets 10" in shown


def test_the_package_keeps_its_function():
    code = (
        "import mlsemi.evaluate, mlsemi; from mlsemi.result import Result;"
        "print(callable(mlsemi.singlepoint), mlsemi.Result is Result, 'Structure' in dir(mlsemi))"
    )
    assert run_python("-c", code).stdout.strip() == "True True True"


def test_no_traceback_in_a_real_process(tmp_path):
    result = run_python("-m", "mlsemi.cli", "run", str(tmp_path / "missing.xyz"))
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1


def test_json_line_has_finite_numbers_only():
    from mlsemi.draw.report import json_line

    text = json_line({"a": float("nan"), "b": [np.float64(np.inf), np.int64(2)], "c": (1.5,)})
    assert json.load(io.StringIO(text)) == {"a": None, "b": [None, 2], "c": [1.5]}
