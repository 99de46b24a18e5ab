"""V2000 molfiles: formal charges, radicals, data fields, hydrogen isotopes."""

import numpy as np
import pytest
from ions import POSITIONS, molfile_of

from mlsemi.errors import InputError
from mlsemi.molecule.formats import iter_frames
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
    ],
)
def test_contradictions_are_refused(tmp_path, text, reason):
    with pytest.raises(InputError, match=f"oxalate.sdf, frame 0: .*{reason}"):
        frames_of(tmp_path, text)
    if "damaged" not in reason:
        (frame,) = frames_of(tmp_path, text, -2, 1)
        assert "given" in frame.warnings[0]


def test_unsure_fields_are_named(tmp_path):
    (frame,) = frames_of(tmp_path, molfile_of(fields=field("dft_charge_sum", -2)))
    assert "looks like a charge" in frame.warnings[0]
    assert "<dft_charge_sum>" in frame.warnings[0]


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
