"""SMILES, lists of them, examples, names of records, files read no further than asked."""

import itertools
import re

import numpy as np
import pytest
from bad_inputs import GOOD, MOLFILE

import mlsemi
from mlsemi.errors import InputError
from mlsemi.molecule import examples
from mlsemi.molecule.formats import iter_frames
from mlsemi.molecule.smiles import is_smiles


def only(source, **options):
    (frame,) = iter_frames(source, **options)
    return frame


def test_a_smiles_is_a_molecule():
    frame = only("smiles:CC(=O)Oc1ccccc1C(=O)O")
    assert sorted(frame.structure.symbols) == sorted("C" * 9 + "H" * 8 + "O" * 4)
    assert (frame.name, frame.index) == ("CC(=O)Oc1ccccc1C(=O)O", 0)
    again = only("smiles:CC(=O)Oc1ccccc1C(=O)O")
    np.testing.assert_array_equal(frame.structure.positions, again.structure.positions)
    water = only("smiles:O").structure.to_ase()
    assert water.get_distance(0, 1) == pytest.approx(0.97, abs=0.02)
    assert water.get_angle(1, 0, 2) == pytest.approx(104.0, abs=2.0)


@pytest.mark.parametrize(
    ("smiles", "charge", "multiplicity"),
    [("[NH4+]", 1, 1), ("C[CH2]", 0, 2), ("CC(=O)[O-]", -1, 1), ("[CH2]", 0, 3)],
)
def test_charge_and_radicals_of_a_smiles_count(smiles, charge, multiplicity):
    found = only(f"smiles:{smiles}").structure
    assert (found.charge, found.multiplicity) == (charge, multiplicity)


def test_given_charges_win_over_a_smiles():
    frame = only("smiles:c1ccccc1", charge=1)
    assert (frame.structure.charge, frame.structure.multiplicity) == (1, 2)


def test_what_a_smiles_leaves_open_is_said():
    assert "configuration of atom 1 open" in only("smiles:CC(F)(Cl)N").warnings[0]
    assert only("smiles:C[C@](F)(Cl)N").warnings == ()


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("C1CC", "is no SMILES"),
        ("C(C)(C)(C)(C)C", "valence"),
        ("[Na+].[Cl-]", "holds several molecules"),
        ("", "is empty|holds no structure"),
    ],
)
def test_bad_smiles_are_refused_in_one_line(smiles, reason, capfd):
    with pytest.raises(InputError, match=reason) as caught:
        only(f"smiles:{smiles}")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_nothing_is_guessed(tmp_path, monkeypatch):
    """A file wins without the prefix; what could be a SMILES is refused with the way to say it."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=re.escape("CCO: no such file; a SMILES is given as smil")):
        only("CCO")
    with pytest.raises(InputError, match=r"none\.xyz: no such file$"):
        only("none.xyz")
    (tmp_path / "water.xyz").write_text(GOOD)
    assert only("water.xyz").structure.n_atom == 3
    assert is_smiles("CCO")
    assert not is_smiles("C C")


def test_lists_of_smiles(tmp_path):
    path = tmp_path / "list.smi"
    path.write_text("O water\n\nCCO\tethyl alcohol\nC\nC1CC bad\n")
    bad = []
    frames = list(iter_frames(path, bad=bad))
    assert [frame.name for frame in frames] == ["water", "ethyl alcohol", "C"]
    assert "list.smi, frame 3" in str(bad[0])


def test_examples_come_with_the_program():
    assert "caffeine" in examples.names()
    assert only("example:caffeine").structure.n_atom == 24
    assert mlsemi.singlepoint("example:caffeine").structure.n_atom == 24
    with pytest.raises(InputError, match=r"there are .*caffeine"):
        only("example:coffee")


def test_names_of_records(tmp_path):
    untitled = MOLFILE.replace("water\n", "\n", 1)
    records = [
        MOLFILE + "$$$$\n",
        untitled + "> <PUBCHEM_COMPOUND_CID>\n962\n\n> <CAS>\n7732-18-5\n\n$$$$\n",
        untitled + "> <logP>\n-1.4\n\n$$$$\n",
    ]
    path = tmp_path / "three.sdf"
    path.write_text("".join(records))
    assert [f.name for f in iter_frames(path)] == ["water", "962", ""]
    assert [f.name for f in iter_frames(path, name_field="cas")] == ["", "7732-18-5", ""]


def test_a_file_is_read_no_further_than_asked(tmp_path):
    path = tmp_path / "many.xyz"
    with path.open("w") as stream:
        for _ in range(2000):
            stream.write(GOOD)
        stream.write("not an xyz file any more\n")
    first = list(itertools.islice(iter_frames(path), 1500))
    assert len(first) == 1500
    with pytest.raises(InputError, match="frame 2000"):
        list(iter_frames(path))
