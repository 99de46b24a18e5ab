"""V2000 molfiles: formal charges, radicals, data fields, hydrogen isotopes."""

import re
import warnings

import numpy as np
import pytest
from ions import POSITIONS, molfile_of

from mlsemi.errors import InputError
from mlsemi.molecule.formats import iter_frames
from mlsemi.molecule.molfile import read_molfile
from mlsemi.units import BOHR_ANGSTROM

TWO = "M  CHG  2   3  -1   6  -1\n"


def field(name, value):
    return f">  <{name}>\n{value}\n\n$$$$\n"


def frames_of(folder, text, charge=None, multiplicity=None):
    path = folder / "oxalate.sdf"
    path.write_text(text)
    return list(iter_frames(path, charge, multiplicity))


@pytest.mark.parametrize(
    ("text", "charge"),
    [
        (molfile_of(), 0),
        (molfile_of((0, 0, 5, 0, 0, 5)), -2),
        (molfile_of((0, 0, 6, 0, 0, 0)), -2),
        (molfile_of((3, 0, 7, 0, 0, 0)), -2),
        (molfile_of((2, 0, 0, 0, 0, 0)), 2),
        (molfile_of((1, 0, 5, 0, 0, 0)), 2),
        (molfile_of(properties=TWO), -2),
        (molfile_of((0, 0, 5, 0, 0, 5), properties=TWO), -2),
        # property lines stand for all charges, whatever the codes say
        (molfile_of((0, 0, 5, 0, 0, 5), properties="M  CHG  2   3  -1   6   1\n"), 0),
        (molfile_of((0, 0, 5, 0, 0, 5), properties="M  RAD  1   1   1\n"), 0),
        (molfile_of((0, 0, 5, 0, 0, 5), end=""), -2),
        (molfile_of(properties="M  CHG  1   3  -1\nM  CHG  1   6  -1\n"), -2),
        (molfile_of(properties="M  ISO  1   3  18\n" + TWO), -2),
        (molfile_of(fields=field("NOTE", "M  CHG  1   1  -2")), 0),
        (molfile_of(fields="M  CHG  1   1  -2\n"), 0),
        (molfile_of(fields=field("PUBCHEM_TOTAL_CHARGE", -2)), -2),
        (molfile_of(fields=field("Net Charge", "-2.0")), -2),
        (molfile_of(properties=TWO, fields=field("TOTAL_CHARGE", -2)), -2),
        (molfile_of(fields=field("PARTIAL_CHARGES", "1 0.5\n2 -0.5")), 0),
        (molfile_of(fields=field("multiplicity", 1)), 0),
        (molfile_of(header="oxalate charge=-2"), -2),
    ],
)
def test_formal_charges(tmp_path, text, charge):
    (frame,) = frames_of(tmp_path, text)
    assert frame.structure.charge == charge
    assert frame.warnings == ()
    np.testing.assert_allclose(frame.structure.positions * BOHR_ANGSTROM, POSITIONS)


@pytest.mark.parametrize(
    ("text", "charge", "multiplicity"),
    [
        (molfile_of((4, 4, 0, 0, 0, 0)), 0, 3),
        (molfile_of(properties="M  RAD  1   1   3\n"), 0, 3),
        (molfile_of(properties="M  RAD  2   1   2   2   2\n"), 0, 3),
        (molfile_of(fields=field("SPIN_MULTIPLICITY", 3)), 0, 3),
        (molfile_of(properties="M  CHG  1   1   1\nM  RAD  1   2   2\n"), 1, 2),
        (molfile_of(properties=TWO, fields=field("unpaired electrons", 2)), -2, 3),
    ],
)
def test_radicals(tmp_path, text, charge, multiplicity):
    (frame,) = frames_of(tmp_path, text)
    assert (frame.structure.charge, frame.structure.multiplicity) == (charge, multiplicity)
    assert frame.warnings == ()
    (frame,) = frames_of(tmp_path, text, -2, 1)
    assert (frame.structure.charge, frame.structure.multiplicity) == (-2, 1)
    assert "given" in frame.warnings[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            molfile_of(properties="M  RAD  1   1   3\n", fields=field("MULTIPLICITY", 1)),
            r"multiplicity is 3 .* but 1 \(data field <MULTIPLICITY>\)",
        ),
        (molfile_of(properties="M  RAD  1   1   2\n"), "do not have multiplicity 2"),
        (
            molfile_of(properties=TWO, fields=field("TOTAL_CHARGE", 0)),
            r"charge is -2 \(lines M  CHG\) but 0 \(data field <TOTAL_CHARGE>\); give the charge",
        ),
        (molfile_of(fields=field("charge", "high")), "the charge high is not an integer"),
        (molfile_of(properties="M  CHG  2   3  -1\n"), "'M CHG 2 3 -1' is damaged"),
        (molfile_of(properties="M  CHG  1   3  x\n"), "'M CHG 1 3 x' is damaged"),
        (molfile_of(properties="m  chg  1   3  -1\n"), "'m  chg  1   3  -1' is damaged"),
        (molfile_of(properties="M CHG  1   3  -1\n"), "'M CHG  1   3  -1' is damaged"),
        (molfile_of(properties=TWO, end="m  end\n"), "'m  end' is damaged"),
        (molfile_of(properties="M  CHG  1   9  -1\n"), "'M CHG 1 9 -1' names atom 9 of 6"),
        (molfile_of(properties="M  RAD  1   0   2\n"), "'M RAD 1 0 2' names atom 0 of 6"),
        (molfile_of(properties="M  CHG  2   3  -1   3  -1\n"), "M  CHG name atom 3 twice"),
    ],
)
def test_contradictions_are_refused(tmp_path, text, reason):
    with pytest.raises(InputError, match=f"oxalate.sdf, frame 0: .*{reason}") as caught:
        frames_of(tmp_path, text)
    if "give the" in str(caught.value):
        (frame,) = frames_of(tmp_path, text, -2, 1)
        assert "given" in frame.warnings[0]


def test_unsure_fields_are_named(tmp_path):
    (frame,) = frames_of(tmp_path, molfile_of(fields=field("dft_charge_sum", -2)))
    assert "looks like a charge" in frame.warnings[0]
    assert "<dft_charge_sum>" in frame.warnings[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMILES", "[O-]C(=O)C(=O)[O-]"),
        ("PUBCHEM_OPENEYE_CAN_SMILES", "C(=O)(C(=O)[O-])[O-]"),
        ("InChI", "InChI=1S/C2H2O4/c3-1(4)2(5)6/h(H,3,4)(H,5,6)/p-2"),
        ("inchi", "InChI=1S/C2O4/q-2"),
        ("IUPAC_NAME", "oxalate(2-)"),
        ("COMMENT", "the dianion"),
    ],
)
def test_ions_in_fields_are_named(tmp_path, name, value):
    (frame,) = frames_of(tmp_path, molfile_of(fields=field(name, value)))
    assert frame.structure.charge == 0
    (warning,) = frame.warnings
    assert "looks like a charge" in warning
    assert f"<{name}>" in warning
    (frame,) = frames_of(tmp_path, molfile_of(properties=TWO, fields=field(name, value)))
    assert (frame.structure.charge, frame.warnings) == (-2, ())
    neutral = field("SMILES", "C[N+](=O)[O-]\n\n>  <NAME>\n1,2-dichloroethane")
    assert frames_of(tmp_path, molfile_of(fields=neutral))[0].warnings == ()


def drawing(atoms, bonds, properties="", tail=""):
    """Molfile of ``C O``, with bonds ``1-2:2``, on a spiral with distances above 1.3 angstrom."""
    symbols, pairs = atoms.split(), bonds.split()
    rows = [
        f"{1.5 * k:10.4f}{(k % 2) * 0.7:10.4f}{0.0:10.4f} {s:3} 0  0  0  0  0{tail}"
        for k, s in enumerate(symbols)
    ]
    blocks = ["".join(f"{n:>3}" for n in re.split("[-:]", pair)) + "  0" for pair in pairs]
    head = f"{len(symbols):3d}{len(pairs):3d}  0  0  0  0  0  0  0  0999 V2000"
    return "\n".join(["x", "", "", head, *rows, *blocks, properties + "M  END", ""])


@pytest.mark.parametrize(
    ("atoms", "bonds", "words"),
    [
        ("C O", "1-2:2", r"atom 0 \(C\) has bonds for 2 of 4"),
        (
            "C C C C C C",
            "1-2:2 2-3:1 3-4:2 4-5:1 5-6:2 1-6:1",
            r"atom 0 \(C\) has bonds for 3 of 4",
        ),
        (
            "C C C C C C",
            "1-2:4 2-3:4 3-4:4 4-5:4 5-6:4 1-6:4",
            r"atom 0 \(C\) has bonds for 3 of 4",
        ),
        ("O C H", "1-2:1 1-3:1", r"atom 1 \(C\) has bonds for 1 of 4"),
        ("C N", "1-2:3", r"atom 0 \(C\) has bonds for 3 of 4"),
        ("C C", "1-2:1", r"atom 0 \(C\) has bonds for 1 of 4"),
    ],
)
def test_missing_hydrogens_are_refused(tmp_path, atoms, bonds, words):
    with pytest.raises(InputError, match=rf"hydrogens are missing \({words}\): add them"):
        frames_of(tmp_path, drawing(atoms, bonds))


@pytest.mark.parametrize(
    ("atoms", "bonds", "properties", "warned"),
    [
        ("C O", "1-2:3", "", False),
        ("C O", "", "", False),
        ("O C O", "1-2:2 2-3:2", "", False),
        ("C N", "1-2:3", "M  CHG  1   1  -1\nM  RAD  1   2   1\n", False),
        ("C N C H H H", "1-2:3 2-3:1 3-4:1 3-5:1 3-6:1", "", False),
        ("F C F", "1-2:1 2-3:1", "M  RAD  1   2   1\n", False),
        ("F C F", "1-2:1 2-3:1", "", True),
        ("C C H H", "1-2:2 2-3:1 2-4:1", "", True),
        ("Fe C", "1-2:1", "", False),
        ("C O", "1-2:8", "", False),
        ("C O", "1-7:2", "", False),
    ],
)
def test_open_valences_that_may_be_meant(tmp_path, atoms, bonds, properties, warned):
    record = drawing(atoms, bonds, properties)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found, _ = read_molfile(record)
    assert len(found) == len(atoms.split())
    assert ["are hydrogens missing?" in str(w.message) for w in caught] == [True] * warned


def test_valences_given_are_believed():
    assert len(read_molfile(drawing("C O", "1-2:2", tail="  2"))[0]) == 2


def test_every_record_has_its_own_charge(tmp_path):
    text = molfile_of(properties=TWO) + "$$$$\n" + molfile_of() + "$$$$\n"
    assert [frame.structure.charge for frame in frames_of(tmp_path, text)] == [-2, 0]


def test_hydrogen_isotopes(tmp_path):
    text = molfile_of().replace(" O   0", " D   0", 3).replace(" O   0", " T   0")
    (frame,) = frames_of(tmp_path, text)
    assert frame.structure.symbols == ["C", "C", "H", "H", "H", "H"]


def test_columns_without_spaces_and_words_without_columns(tmp_path):
    far = molfile_of().replace("    0.0000    0.0000    0.0000", "-1000.0000-1000.0000-1000.0000")
    assert frames_of(tmp_path, far)[0].structure.positions[0] * BOHR_ANGSTROM == pytest.approx(-1e3)
    rows = molfile_of((0, 0, 5, 0, 0, 5)).split("\n")
    rows[4:10] = [" ".join(row.split()) for row in rows[4:10]]
    (frame,) = frames_of(tmp_path, "\n".join(rows))
    assert frame.structure.charge == -2
    np.testing.assert_allclose(frame.structure.positions * BOHR_ANGSTROM, POSITIONS)
