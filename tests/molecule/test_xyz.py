"""xyz frames: other people's comment lines, columns, tails and units."""

import io
import re
import sys

import ase.io
import numpy as np
import pytest
from ase.build import molecule
from ions import POSITIONS, oxalate, xyz_of

from mlsemi.errors import InputError
from mlsemi.molecule.formats import iter_frames, read_structures
from mlsemi.units import BOHR_ANGSTROM

METHANE = """5
gdb 1	157.7118	157.70997	157.70699	0.	13.21	-0.3877	0.1171	-40.47893
C	-0.0126981359	 1.0858041578	 0.0080009958	-0.535689
H	 0.002150416	-6.0313176*^-3	 0.0019761204	 0.133921
H	 1.0117308433	 1.4637511618	 2.765748*^-4	 0.133922
H	-0.540815069	 1.4475266138	-0.8766437152	 0.133923
H	-0.5238136345	 1.4379326443	 0.9063972942	 0.133923
1341.307	1341.3284	1341.365	1562.6731	1562.7453	3038.3205	3151.6034
C	C
InChI=1S/CH4/h1H4	InChI=1S/CH4/h1H4
"""
WATER = "O 0 0 0.119\n{0} 0 0.763 -0.477\n{1} 0 -0.763 -0.477\n"


def read(folder, text):
    path = folder / "molecule.xyz"
    path.write_text(text, encoding="utf-8")
    return list(iter_frames(path))


def test_qm9_with_its_tail_and_exponents(tmp_path):
    frames = read(tmp_path, METHANE * 2 + "3\nwater\n" + WATER.format("H", "H"))
    assert [frame.structure.n_atom for frame in frames] == [5, 5, 3]
    assert frames[0].warnings == ()
    x = frames[0].structure.positions * BOHR_ANGSTROM
    assert x[1] == pytest.approx([0.002150416, -0.0060313176, 0.0019761204])
    assert x[2, 2] == pytest.approx(0.0002765748)


@pytest.mark.parametrize(
    ("word", "value"),
    [("1.2*^-3", 0.0012), ("1.2D-03", 0.0012), ("1.2d+00", 1.2), ("-5.e-1", -0.5)],
)
def test_exponents_of_other_languages(tmp_path, word, value):
    (frame,) = read(tmp_path, f"2\n\nH 0 0 {word}\nH 0 0.74 {word}\n")
    assert frame.structure.positions[0, 2] * BOHR_ANGSTROM == pytest.approx(value)


@pytest.mark.parametrize("word", ["1_0", "0x1", "1,5", "--1"])
def test_words_that_are_no_numbers(tmp_path, word):
    with pytest.raises(InputError, match=f"frame 0, atom 0: coordinate '{word}' is not a number"):
        read(tmp_path, f"2\n\nH 0 0 {word}\nH 0 0.74 0\n")


@pytest.mark.parametrize("comment", ["", "Properties=species:S:1:pos:R:3", "charge=0"])
def test_hydrogen_isotopes(tmp_path, comment):
    heavy = read(tmp_path, f"3\n{comment}\n" + WATER.format("D", "T"))[0].structure
    light = read(tmp_path, f"3\n{comment}\n" + WATER.format("H", "H"))[0].structure
    assert heavy.symbols == ["O", "H", "H"]
    np.testing.assert_array_equal(heavy.positions, light.positions)


def test_columns_of_charges_and_moments_say_something(tmp_path):
    atoms = oxalate()
    atoms.set_initial_charges([0.0, 0.0, -1.0, 0.0, 0.0, -1.0])
    ase.io.write(tmp_path / "ion.xyz", atoms)
    assert read_structures(tmp_path / "ion.xyz")[0].charge == -2
    atoms = oxalate()
    atoms.set_initial_magnetic_moments([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    ase.io.write(tmp_path / "open.xyz", atoms)
    assert read_structures(tmp_path / "open.xyz")[0].multiplicity == 3
    atoms.info["multiplicity"] = 1
    ase.io.write(tmp_path / "open.xyz", atoms)
    with pytest.raises(InputError, match=r"multiplicity is .* but 3 .the initial magnetic moments"):
        read_structures(tmp_path / "open.xyz")


@pytest.mark.parametrize("name", ["charge", "charges", "q", "formal_charge"])
def test_columns_of_charges_by_any_name(tmp_path, name):
    text = xyz_of(f"Properties=species:S:1:pos:R:3:{name}:R:1")
    lines = text.split("\n")
    (frame,) = read(
        tmp_path, "\n".join([*lines[:2], *(f"{row} -0.33333" for row in lines[2:8]), ""])
    )
    assert frame.structure.charge == -2
    (frame,) = read(tmp_path, "\n".join([*lines[:2], *(f"{row} -0.05" for row in lines[2:8]), ""]))
    assert frame.structure.charge == 0
    assert "the charge -0.30 is not an integer (the sum of" in frame.warnings[0]


def test_a_unit_in_the_comment_is_named(tmp_path):
    for comment in ("coordinates in Bohr", "units=bohr", "unit: a.u.", "units=au"):
        assert "names bohr" in read(tmp_path, xyz_of(comment))[0].warnings[0]


def test_other_orders_of_columns_are_left_to_ase(tmp_path):
    rows = "".join(f"{x} {y} {z} {s}\n" for s, (x, y, z) in zip("CCOOOO", POSITIONS, strict=True))
    comment = "Properties=pos:R:3:species:S:1 charge=-2"
    (frame,) = read(tmp_path, f"6\n{comment}\n{rows}")
    assert frame.structure.charge == -2
    np.testing.assert_allclose(frame.structure.positions * BOHR_ANGSTROM, POSITIONS)


def test_a_nameless_column_that_sums_to_a_charge_is_named(tmp_path):
    text = xyz_of("").replace("\n", " -0.3333333\n").replace(" -0.3333333\n", "\n", 2)
    (frame,) = read(tmp_path, text)
    assert frame.warnings == ("the fifth column, which adds up to -2.00, is not read as charges",)
    assert read(tmp_path, text.replace("-0.3333333", "0.1"))[0].warnings == ()


@pytest.mark.parametrize(
    ("comment", "periodic"),
    [
        ('Lattice="9 0 0 0 9 0 0 0 9"', [True, True, True]),
        ('Lattice = "9 0 0 0 9 0 0 0 9" words', [True, True, True]),
        ('Lattice="9 0 0 0 9 0 0 0 9" pbc="F F F"', None),
        ('Lattice="9 0 0 0 9 0 0 0 9" pbc="F T F" charge=0', [False, True, False]),
    ],
)
def test_cells_of_plain_comments(tmp_path, comment, periodic):
    (frame,) = read(tmp_path, xyz_of(comment))
    cell = frame.structure.cell
    assert frame.warnings == ()
    if periodic is None:
        assert cell is None
    else:
        assert cell.periodic.tolist() == periodic
        edges = np.linalg.norm(cell.vectors, axis=1) * BOHR_ANGSTROM
        np.testing.assert_allclose(edges, 9.0 * np.array(periodic))
    with pytest.raises(InputError, match="not a cell of nine numbers"):
        read(tmp_path, xyz_of('Lattice="9 0 0"'))


def test_byte_order_marks_everywhere(tmp_path, monkeypatch):
    text = ("\ufeff" + xyz_of("charge=-2")) * 2
    assert [frame.structure.charge for frame in read(tmp_path, text)] == [-2, -2]
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert [s.charge for s in read_structures("-")] == [-2, -2]


@pytest.mark.parametrize("name", ["CH3CH2OH", "H2", "N2", "F2", "C2H2", "C60", "CH3SCH3", "P2"])
def test_bohr_or_angstrom(tmp_path, name):
    atoms = molecule(name)

    def doubts(factor):
        scaled = atoms.copy()
        scaled.positions *= factor
        return next(read_scaled(tmp_path, scaled)).structure.unit_doubts()

    assert doubts(1.0) == doubts(1.1) == doubts(0.93) == ()
    for factor in (BOHR_ANGSTROM, 1.0 / BOHR_ANGSTROM):
        (text,) = doubts(factor)
        assert (
            text == f"all distances are about {factor:.2f} times the usual ones: bohr or angstrom?"
        )


def read_scaled(folder, atoms):
    ase.io.write(folder / "scaled.xyz", atoms)
    return iter_frames(folder / "scaled.xyz")


def test_overlapping_atoms_ask_for_the_unit(tmp_path):
    with pytest.raises(
        InputError, match=r"overlap: they are 0.56 angstrom apart .*bohr or angstrom"
    ):
        read(tmp_path, "2\n\nN 0 0 0\nC 0 0 0.56\n")
    with pytest.raises(InputError, match=r"overlap: they are 0.1 angstrom apart$"):
        read(tmp_path, "2\n\nN 0 0 0\nC 0 0 0.1\n")


@pytest.mark.parametrize(
    ("tails", "words"),
    [
        (("1.5 0", "1.5 0", "0 -0.5", "0 -0.5", "0 -0.5", "0 -0.5"), "sixth column, .* -2.00"),
        (("a 0.1 -1", "b 0.1 -1") + ("c 0.1 0",) * 4, "seventh column, .* -2.00"),
    ],
)
def test_further_columns_are_named_too(tmp_path, tails, words):
    head, comment, *rows = xyz_of("").split("\n")
    rows = [f"{row} {tail}" for row, tail in zip(rows, tails, strict=False)]
    (frame,) = read(tmp_path, "\n".join([head, comment, *rows, ""]))
    assert frame.structure.charge == 0
    assert re.search(words, frame.warnings[-1])


def test_velocities_and_forces_are_no_charges(tmp_path):
    head, comment, *rows = xyz_of("").split("\n")
    rows = [f"{row} {0.1 * (-1) ** k} 0.03 {0.07 * k}" for k, row in enumerate(rows[:6])]
    (frame,) = read(tmp_path, "\n".join([head, comment, *rows, ""]))
    assert frame.warnings == ()
