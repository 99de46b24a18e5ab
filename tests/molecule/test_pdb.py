"""PDB files: formal charges, alternate locations, missing elements, hydrogen isotopes."""

import numpy as np
import pytest
from ions import POSITIONS, pdb_of

from mlsemi.errors import InputError
from mlsemi.molecule.formats import iter_frames
from mlsemi.units import BOHR_ANGSTROM

GLYCINE = """
 N    N    1.931  0.090 -0.034
 CA   C    0.761 -0.799 -0.008
 C    C   -0.498  0.029 -0.005
 O    O   -0.429  1.235 -0.023
 OXT  O   -1.697 -0.574  0.018
 H    H    1.910  0.738  0.740
 H2   H    1.910  0.619 -0.893
 HA3  H    0.772 -1.440 -0.889
1HA   H    0.793 -1.415  0.891
 HXT  H   -2.477 -0.002  0.019
""".strip("\n")


def line_of(text, alternate=" ", element=True, occupancy=1.0, residue="GLY", number=1):
    name, symbol, *xyz = text[:4], text[4:8].strip(), *map(float, text[8:].split())
    place = "".join(f"{x:8.3f}" for x in xyz)
    end = f"{symbol:>2}" if element else ""
    return (
        f"ATOM  {1:5d} {name}{alternate}{residue} A{number:4d}    {place}{occupancy:6.2f}  0.00"
        f"          {end}"
    )


def read(folder, text):
    path = folder / "molecule.pdb"
    path.write_text(text)
    return list(iter_frames(path))


@pytest.fixture
def whole(tmp_path):
    """Glycine with all columns."""
    text = "\n".join(line_of(row) for row in GLYCINE.split("\n"))
    return read(tmp_path, text)[0].structure


@pytest.mark.parametrize(
    "tails",
    [
        ("", "", "1-", "", "", "1-"),
        ("", "", "-1", "", "", "-1"),
        ("", "", "- ", "", "", " -"),
        ("", "", "2-", "", "", ""),
        ("1+", "", "2-", "", "", "1-"),
        ("0", "0", "1-", "0", "0", "1-"),
    ],
)
def test_formal_charges(tmp_path, tails):
    (frame,) = read(tmp_path, pdb_of(tails))
    assert (frame.structure.charge, frame.warnings) == (-2, ())
    np.testing.assert_allclose(frame.structure.positions * BOHR_ANGSTROM, POSITIONS, atol=1e-9)


@pytest.mark.parametrize("header", ["REMARK 1 TOTAL CHARGE: -2\n", "TITLE     OXALATE CHARGE=-2\n"])
def test_remarks_count_for_every_model(tmp_path, header):
    model = "MODEL\n" + pdb_of().replace("END", "ENDMDL")
    frames = read(tmp_path, header + model + model + "END\n")
    assert [frame.structure.charge for frame in frames] == [-2, -2]


def test_what_is_unsure_is_named_or_refused(tmp_path):
    (frame,) = read(tmp_path, pdb_of(header="FORMUL   2  OXL    C2 O4 2-\n"))
    assert "looks like a charge of 2-" in frame.warnings[0]
    with pytest.raises(InputError, match=r"frame 0, atom 2: columns 79-80 read 'x-'"):
        read(tmp_path, pdb_of(("", "", "x-", "", "", "")))
    with pytest.raises(InputError, match=r"the charge is -3 \(REMARK|but -2 \(columns 79-80\)"):
        read(tmp_path, pdb_of(("", "", "1-", "", "", "1-"), header="REMARK 1 CHARGE = -3\n"))


def test_line_numbers_of_old_files_are_no_charges(tmp_path):
    text = pdb_of(("10", "11", "12", "13", "14", "15"), element=False)
    assert read(tmp_path, text)[0].structure.charge == 0


def test_one_alternate_location_is_read_and_named(tmp_path, whole):
    rows = GLYCINE.split("\n")
    lines = [line_of(row) for row in rows]
    for k in (7, 8):
        moved = rows[k][:-6] + f"{float(rows[k][-6:]) + 0.3:6.3f}"
        lines[k] = line_of(rows[k], "A", occupancy=0.6) + "\n" + line_of(moved, "B", occupancy=0.4)
    (frame,) = read(tmp_path, "\n".join(lines))
    assert frame.warnings == ("residue GLY A 1 has alternate locations A and B: A is read",)
    assert frame.structure.symbols == whole.symbols
    np.testing.assert_allclose(frame.structure.positions, whole.positions)
    swapped = "\n".join(lines).replace("  0.60  ", "  0.10  ").replace("  0.40  ", "  0.90  ")
    (other,) = read(tmp_path, swapped)
    assert "B is read" in other.warnings[0]
    assert np.abs(other.structure.positions - whole.positions).max() > 0.5


def test_equal_occupancies_and_whole_residues_in_two_places(tmp_path, whole):
    rows = GLYCINE.split("\n")
    both = [line_of(row, letter, occupancy=0.5) for row in rows for letter in "AB"]
    (frame,) = read(tmp_path, "\n".join(both))
    assert "A is read" in frame.warnings[0]
    np.testing.assert_allclose(frame.structure.positions, whole.positions)
    (only,) = read(tmp_path, "\n".join(line_of(row, "A") for row in rows))
    assert only.warnings == ()


def test_alternate_locations_of_different_atoms_are_refused(tmp_path):
    rows = GLYCINE.split("\n")
    lines = [line_of(row) for row in rows[:-1]]
    lines += [line_of(rows[-1], "A"), line_of(" HXX" + rows[-1][4:], "B")]
    with pytest.raises(InputError, match=r"alternate locations A and B with different atoms .HXX"):
        read(tmp_path, "\n".join(lines))


def test_elements_from_names(tmp_path, whole):
    lines = [line_of(row, element=False) for row in GLYCINE.split("\n")]
    for text in ("\n".join(lines), "\n".join(line.rstrip() for line in lines)):
        (frame,) = read(tmp_path, text)
        assert frame.structure.symbols == whole.symbols
        np.testing.assert_allclose(frame.structure.positions, whole.positions)


@pytest.mark.parametrize(
    ("name", "residue", "symbol"),
    [
        (" CA ", "LIG", "C"),
        ("CA  ", "GLY", "C"),
        ("1HB ", "ALA", "H"),
        ("HG11", "VAL", "H"),
        ("HE21", "LIG", "H"),
        ("HB2 ", "LIG", "H"),
        ("CL1 ", "LIG", "Cl"),
        ("C1  ", "LIG", "C"),
        (" OD1", "ASP", "O"),
        (" D1 ", "LIG", "H"),
        ("SG  ", "CYS", "S"),
    ],
)
def test_names_that_are_certain(tmp_path, name, residue, symbol):
    text = "\n".join(
        [
            line_of(f"{name}?   0.000 0.000 0.000", element=False, residue=residue),
            line_of(" X  ?   0.000 0.000 0.000", element=False),
        ]
    )
    with pytest.raises(InputError, match="atom 1: unknown element symbol 'X'"):
        read(tmp_path, text)
    from mlsemi.molecule.pdb import _element

    assert _element(0, text.split("\n")[0].ljust(80)) == symbol


@pytest.mark.parametrize(("name", "either"), [("CA  ", "Ca or C"), ("HG  ", "Hg or H")])
def test_names_that_may_be_two_elements_are_refused(tmp_path, name, either):
    text = line_of(f"{name}?   0.000 0.000 0.000", element=False, residue="LIG")
    with pytest.raises(InputError, match=f"atom 0: the element .* may be {either}"):
        read(tmp_path, text)


def test_calcium_is_calcium(tmp_path):
    text = line_of("CA  CA  0.000 0.000 0.000", residue=" CA")
    for line in (text, text[:76]):
        with pytest.raises(InputError, match="atom 0: element Ca has no valence basis"):
            read(tmp_path, line)


def test_deuterium_and_a_cell_that_stands_for_none(tmp_path, whole):
    text = "\n".join(line_of(row) for row in GLYCINE.split("\n"))
    dummy = "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1\n"
    (frame,) = read(tmp_path, dummy + text.replace("           H", "           D"))
    assert frame.warnings == ()
    assert frame.structure.symbols == whole.symbols


@pytest.mark.parametrize(
    "header",
    [
        "TITLE     OXALATE DIANION\n",
        "COMPND    C2O4 2-\n",
        "TITLE     OXALATE(2-)\n",
        "REMARK   SMILES [O-]C(=O)C(=O)[O-]\n",
    ],
)
def test_ions_in_the_header_are_named(tmp_path, header):
    (frame,) = read(tmp_path, pdb_of(header=header))
    assert frame.structure.charge == 0
    assert "looks like a charge" in frame.warnings[0]
    (frame,) = read(tmp_path, pdb_of(("", "", "1-", "1-", "", ""), header=header))
    assert (frame.structure.charge, frame.warnings) == (-2, ())
