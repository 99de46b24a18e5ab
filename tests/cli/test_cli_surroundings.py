"""Charge, spin, solvent and field on the command line, from options to JSON, tables and files."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from test_cli import FORMALDEHYDE, assert_one_line_error, cli, tiny  # noqa: F401

import mlsemi
from mlsemi.units import FORCE_EV_ANGSTROM, HARTREE_EV


def record_of(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_solvents_by_name_and_constant(cli, tiny):  # noqa: F811
    dry = record_of(cli("run", FORMALDEHYDE, "--json", "-"))
    assert "solvent" not in dry
    wet = record_of(cli("run", FORMALDEHYDE, "--solvent", "Water", "--json", "-"))
    expected = mlsemi.singlepoint(FORMALDEHYDE, solvent="water", parameters=tiny)
    assert wet["energy_ev"] == pytest.approx(expected.energy * HARTREE_EV, abs=1e-9)
    assert set(wet["solvent"]) == {
        "name", "epsilon", "refractive_index", "polar_ev", "nonpolar_ev"
    }  # fmt: skip
    assert (wet["solvent"]["name"], wet["solvent"]["epsilon"]) == ("water", 78.36)
    assert wet["solvent"]["polar_ev"] < 0.0
    total = wet["solvent"]["polar_ev"] + wet["solvent"]["nonpolar_ev"]
    assert wet["energy_ev"] - dry["energy_ev"] == pytest.approx(total, abs=1e-9)
    by_constant = record_of(cli("run", FORMALDEHYDE, "--epsilon", "78.36", "--json", "-"))
    polarised = wet["energy_ev"] - wet["solvent"]["nonpolar_ev"]  # a constant has no tension
    assert by_constant["energy_ev"] == pytest.approx(polarised, abs=1e-9)
    nothing = record_of(cli("run", FORMALDEHYDE, "--epsilon", "1", "--json", "-"))
    assert nothing["energy_ev"] == pytest.approx(dry["energy_ev"], abs=1e-9)


def test_excited_states_in_a_solvent(cli):  # noqa: F811
    record = record_of(
        cli("spectrum", FORMALDEHYDE, "--singlets", 3, "--triplets", 2, "--solvent", "dmso",
            "--json", "-", "--csv", "a.csv", "--plot", "a.png")
    )  # fmt: skip
    assert record["solvent"]["name"] == "dimethyl sulfoxide"
    names = {"solvent_shift_ev", "solvent_linear_response_ev", "solvent_state_specific_ev"}
    for states in record["excitations"].values():
        for state in states:
            assert (names | {"emission_ev"}) <= set(state)
    assert Path("a.csv").exists()
    assert Path("a.png").exists()
    run = record_of(
        cli("run", FORMALDEHYDE, "--singlets", 3, "--epsilon", 46.83, "--json", "-")
    )["excitations"]["singlets"]  # fmt: skip
    for one, other in zip(run, record["excitations"]["singlets"], strict=True):
        assert one["energy_ev"] == pytest.approx(other["energy_ev"], abs=0.05)  # another index


def test_a_field_is_minus_the_slope_of_the_potential(cli):  # noqa: F811
    energies, dipoles = [], []
    for size in ("0.02", "-0.02"):
        record = record_of(cli("run", FORMALDEHYDE, f"--field=0,{size},0", "--json", "-"))
        assert record["field_v_per_angstrom"] == pytest.approx([0.0, float(size), 0.0])
        energies.append(record["energy_ev"])
        dipoles.append(record["dipole_e_angstrom"])
    record = record_of(cli("run", FORMALDEHYDE, "--polarizability", "--json", "-"))
    alpha = np.array(record["polarizability_bohr3"])
    assert alpha.shape == (3, 3)
    np.testing.assert_allclose(alpha, alpha.T, atol=1e-8)
    slope = (energies[1] - energies[0]) / 0.04
    assert slope == pytest.approx(record["dipole_e_angstrom"][1], abs=1e-5)
    bent = (np.array(dipoles[0]) - dipoles[1]) / 0.04  # e angstrom^2 / V
    np.testing.assert_allclose(bent / 0.529177210903 * FORCE_EV_ANGSTROM, alpha[:, 1], atol=1e-4)
    assert "field_v_per_angstrom" not in record


def test_forces_of_an_ion_in_a_solvent(cli):  # noqa: F811
    record = record_of(
        cli("run", FORMALDEHYDE, "--charge", 1, "--solvent", "thf", "--forces", "--json", "-")
    )
    assert np.shape(record["forces_ev_per_angstrom"]) == (4, 3)
    assert record["structure"]["multiplicity"] == 2
    assert record["s2"] == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("run", "--solvent", "vodka"), r"no solvent 'vodka' .there are acetic acid, .*water"),
        (("run", "--solvent", "help"), r"there are acetic acid, acetone"),
        (("run", "--solvent", "water", "--epsilon", "80"), "--solvent or --epsilon, not both"),
        (("run", "--epsilon", "0.5"), "dielectric constant 0.5: need a finite number"),
        (("run", "--epsilon", "nan"), "dielectric constant nan"),
        (("run", "--field", "1,2"), "--field '1,2': give X,Y,Z in V/angstrom"),
        (("run", "--field", "up"), "--field 'up': give X,Y,Z"),
        (("run", "--field", "0,0,inf"), "field: need finite numbers"),
        (("spectrum", "--solvent", "vodka"), "no solvent 'vodka'"),
        (("spectrum", "--charge", "1", "--triplets", "1"), "frame 0: excited states at mult"),
        (("spectrum", "--charge", "1", "--full-tddft"), "frame 0: open shells: Tamm-Dancoff"),
        (("run", "--multiplicity", "3", "--triplets", "1"), "frame 0: excited states at mult"),
        (("run", "--doublets", "1"), "frame 0: excited states at multiplicity 1"),
    ],
)
def test_refusals(cli, arguments, reason):  # noqa: F811
    command, *options = arguments
    assert_one_line_error(cli(command, FORMALDEHYDE, *options, "--json", "a.json"), reason)
    assert not Path("a.json").exists()


def test_what_some_frame_does_not_have_is_said_before_the_work(cli, monkeypatch):  # noqa: F811
    from mlsemi import batch

    monkeypatch.setattr(batch, "singlepoint", None)
    good = "2\n\nH 0 0 0\nH 0 0 0.74\n"
    Path("two.xyz").write_text(good + "2\nmultiplicity=3\nH 0 0 0\nH 0 0 0.74\n")
    assert_one_line_error(cli("run", "two.xyz", "--singlets", 1), "two.xyz, frame 1: excited")
    Path("two.xyz").write_text(good + "2\n\nO 0 0 0\nH 0 0 0.97\n")
    assert_one_line_error(
        cli("run", "two.xyz", "--forces"), r"two.xyz, frame 1: forces at charge \+0: .* odd number"
    )


def test_tables_of_a_radical_in_a_solvent(cli):  # noqa: F811
    found = cli("run", FORMALDEHYDE, "--charge", 1, "--solvent", "water", "--polarizability")
    text = found.stdout
    assert "charge 1, multiplicity 2, in water; parameters tiny" in text
    assert "Orbitals, alpha spin" in text
    assert "Orbitals, beta spin" in text
    assert re.search(r"HOMO +5 +-?[\d.]+ +1\n", text)  # 6 alpha and 5 beta electrons
    assert re.search(r"HOMO +4 +-?[\d.]+ +1\n", text)
    assert re.search(r"atom +charge / e +spin +bonds", text)
    assert re.search(r"solvent: polar -\d\.\d+ eV, nonpolar -?\d\.\d+ eV", text)
    assert re.search(r"polarisability [\d.]+ bohr\^3", text)
    plain = cli("run", FORMALDEHYDE).stdout.partition("\n")[2]  # the file may lie anywhere
    for word in ("multiplicity", "spin", "solvent", "polarisability"):
        assert word not in plain
    field = cli("run", FORMALDEHYDE, "--field", "0,0.1,0").stdout
    assert "charge 0, field (0, 0.1, 0) V/angstrom; parameters" in field


def test_files_of_a_radical(cli, tiny):  # noqa: F811
    """Orbitals of both spins in Molden files; the density of all electrons in cube files."""
    cli("run", FORMALDEHYDE, "--charge", 1, "--molden", "a.molden", "-q")
    text = Path("a.molden").read_text()
    assert text.count("Spin= Alpha") == text.count("Spin= Beta") == 10
    occupations = [float(value) for value in re.findall(r"Occup= (\S+)", text)]
    assert sum(occupations[:10]) == pytest.approx(6.0)
    assert sum(occupations[10:]) == pytest.approx(5.0)
    common = ("--parameters", tiny, "--spacing", "0.35", "-q")
    done = cli("export", FORMALDEHYDE, "density", "homo", "--charge", 1, "--epsilon", 4, *common)
    assert done.exit_code == 0
    electrons = []
    for name in ("density", "homo"):
        lines = Path(f"formaldehyde.{name}.cube").read_text().splitlines()
        values = np.array(" ".join(lines[10:]).split(), dtype=float)
        volume = (0.35 / 0.529177) ** 3
        electrons.append((values if name == "density" else values**2).sum() * volume)
    assert electrons[0] == pytest.approx(11.0, abs=0.3)
    assert electrons[1] == pytest.approx(1.0, abs=0.05)
    refused = cli("export", FORMALDEHYDE, "hole:S1", "--charge", 1, *common)
    assert_one_line_error(refused, "excited states of open shells")


def test_a_quiet_neutral_molecule_says_nothing_new(cli):  # noqa: F811
    record = record_of(cli("run", FORMALDEHYDE, "--json", "-"))
    new = {"solvent", "s2", "spin_populations", "polarizability_bohr3", "occupations"}
    assert not new & set(record)
    assert record["structure"]["multiplicity"] == 1
