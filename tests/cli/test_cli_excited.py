"""Options of the excited states on the command line."""

import json

import pytest
from test_cli import FORMALDEHYDE, assert_one_line_error, cli, tiny  # noqa: F401


def states_of(result):
    return json.loads(result.stdout)


def test_full_response_and_selection_say_what_they_are(cli):  # noqa: F811
    tda, full, selected = (
        states_of(cli("run", FORMALDEHYDE, "--singlets", 3, "--triplets", 1, "--json", "-", *more))
        for more in ((), ("--full-tddft",), ("--select-ev", 1e-3))
    )
    methods = [record["excitation_method"] for record in (tda, full, selected)]
    assert methods == ["tda", "full", "tda, selected configurations"]
    first = [record["excitations"]["singlets"][0] for record in (tda, full, selected)]
    assert first[1]["energy_ev"] < first[0]["energy_ev"]
    assert (
        abs(first[2]["energy_ev"] - first[0]["energy_ev"]) <= first[2]["selection_error_ev"] + 1e-9
    )
    assert any("selected configurations" in text for text in selected["warnings"])
    assert "selection_error_ev" not in first[0]


def test_analysis_is_in_the_record(cli):  # noqa: F811
    record = states_of(cli("run", FORMALDEHYDE, "--singlets", 2, "--json", "-", "--fragment", "0"))
    assert record["fragments"] == [[0], [1, 2, 3]]
    for state in record["excitations"]["singlets"]:
        assert sum(state["detachment_e"]) == pytest.approx(1.0)
        assert sum(state["attachment_e"]) == pytest.approx(1.0)
        assert sum(state["hole"].values()) == pytest.approx(1.0)
        assert state["nto_participation_ratio"] >= 1.0 - 1e-9
        assert 0.0 <= state["charge_transfer_number"] <= 1.0
        assert state["character"].endswith("*")
        assert state["oscillator_strength_velocity"] >= 0.0
        assert "rotatory_strength_length_1e40_cgs" in state
        assert state["electron_hole_distance_angstrom"] >= 0.0


def test_line_shapes(cli, tmp_path):  # noqa: F811
    tables = []
    for shape in ("gaussian", "voigt"):
        path = tmp_path / f"{shape}.csv"
        found = cli("spectrum", FORMALDEHYDE, "--shape", shape, "--csv", path, "-q")
        assert found.exit_code == 0
        tables.append(path.read_text().splitlines())
    assert len(tables[0]) == len(tables[1])
    assert tables[0][50] != tables[1][50]


def test_different_molecules_have_no_average(cli, tmp_path):  # noqa: F811
    path = tmp_path / "two.xyz"
    path.write_text("3\n\nO 0 0 0\nH 0 0 1\nH 0 1 0\n2\n\nH 0 0 0\nH 0 0 0.8\n")
    assert cli("spectrum", path, "--singlets", 1, "-q").exit_code == 0
    table = tmp_path / "a.csv"
    assert cli("spectrum", path, "--singlets", 1, "-q", "--csv", table).exit_code == 0
    head = table.read_text().splitlines()[0]
    assert head == "energy_ev,wavelength_nm,two,two (2)"  # a curve each


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (("--fragment", "0-x"), "0-11,14"),
        (("--fragment", "3-1"), "0-11,14"),
        (("--fragment", "0-"), "0-11,14"),
        (("--fragment", "0-9"), "atom 4 does not exist"),
        (("--fragment", "0,0"), "two fragments"),
        (("--full-tddft", "--select-ev", 0.1), "Tamm-Dancoff"),
        (("--exact", "--select-ev", 0.1), "not exact"),
        (("--select-ev", 0.0), "positive"),
        (("--select-ev", -1), "positive"),
    ],
)
def test_refusals(cli, options, pattern):  # noqa: F811
    assert_one_line_error(cli("run", FORMALDEHYDE, "--singlets", 2, "-q", *options), pattern)


def test_a_range_is_computed_and_shown_as_a_whole(cli, tmp_path):  # noqa: F811
    """All states that add to it are there, and the table ends where the range does."""
    path, wide = tmp_path / "range.csv", tmp_path / "wide.csv"
    found = cli("spectrum", FORMALDEHYDE, "--range", "120-400", "--csv", path, "--plot",
                tmp_path / "range.png", "--json", "-")  # fmt: skip
    assert found.exit_code == 0
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    assert float(rows[0][1]) == pytest.approx(400.0, abs=0.01)
    assert float(rows[-1][1]) == pytest.approx(120.0, abs=0.01)
    last = states_of(found)["excitations"]["singlets"][-1]["energy_ev"]
    assert last < 1239.842 / 120.0 + 0.4
    assert cli("spectrum", FORMALDEHYDE, "--max-ev", "14", "--csv", wide, "-q").exit_code == 0
    other = [line.split(",") for line in wide.read_text().splitlines()[1:]]
    at = min(other, key=lambda row: abs(float(row[0]) - float(rows[-1][0])))
    step = max(float(row[2]) for row in other) * 0.05
    assert float(rows[-1][2]) == pytest.approx(float(at[2]), abs=step)
    for wrong in ("700", "a-b", "0-3", "5-5"):
        assert_one_line_error(cli("spectrum", FORMALDEHYDE, "--range", wrong), "--range")
    assert cli("spectrum", FORMALDEHYDE, "--range", "2-6", "--singlets", "3").exit_code == 2
