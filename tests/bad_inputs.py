"""Structure files that must be refused, and the line that must be said about each."""

WATER = "O 0.0 0.0 0.119\nH 0.0 0.763 -0.477\nH 0.0 -0.763 -0.477\n"
GOOD = f"3\nwater\n{WATER}"


def xyz(*rows: str, comment: str = "made for a test") -> str:
    """Text of one xyz frame."""
    return f"{len(rows)}\n{comment}\n" + "".join(f"{row}\n" for row in rows)


MOLFILE = """water
  test

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.1190 O   0  0
    0.0000    0.7630   -0.4770 H   0  0
    0.0000   -0.7630   -0.4770 H   0  0
  1  2  1  0
  1  3  1  0
M  END
"""

BAD = {
    "nan.xyz": (
        xyz("O 0 0 nan", "H 0 0.763 -0.477", "H 0 -0.763 -0.477"),
        r"frame 0, atom 0 \(O\) has a coordinate that is not finite",
    ),
    "infinite.xyz": (xyz("H 0 0 0", "H 0 0 inf"), r"frame 0, atom 1 \(H\) .* not finite"),
    "overflow.xyz": (xyz("H 0 0 0", "H 0 0 1e999"), r"frame 0, atom 1 \(H\) .* not finite"),
    "overlapping.xyz": (
        xyz("C 0 0 0", "O 0 0 0"),
        r"frame 0: atoms 0 \(C\) and 1 \(O\) overlap: they are 0 angstrom apart",
    ),
    "close.xyz": (
        xyz("H 0 0 0", "H 0 0 0.0001"),
        r"frame 0: atoms 0 \(H\) and 1 \(H\) overlap: they are 0.0001 angstrom apart",
    ),
    "unknown.xyz": (xyz("H 0 0 0", "Xx 0 0 1"), "frame 0, atom 1: unknown element symbol 'Xx'"),
    "dummy.xyz": (xyz("H 0 0 0", "X 0 0 1"), "frame 0, atom 1: unknown element symbol 'X'"),
    "extended.xyz": (
        xyz("H 0 0 0", "Xx 0 0 1", comment="Properties=species:S:1:pos:R:3"),
        "frame 0, atom 1: unknown element symbol 'Xx'",
    ),
    "iron.xyz": (
        xyz("O 0 0 0", "Fe 0 0 1.6"),
        "frame 0, atom 1: element Fe has no valence basis",
    ),
    "word.xyz": (xyz("H 0 0 0", "H 0 0 one"), "frame 0, atom 1: coordinate 'one' is not a number"),
    "columns.xyz": (xyz("H 0 0 0", "H 0 0"), "frame 0, atom 1: expected 'symbol x y z'"),
    "truncated.xyz": (
        "\n".join(GOOD.splitlines()[:-1]) + "\n",
        "frame 0: the frame ends after 2 of the 3 atoms announced",
    ),
    "second.xyz": (
        GOOD + "3\nwater\nO 0 0 0\n",
        "frame 1: the frame ends after 1 of the 3 atoms announced",
    ),
    "middle.xyz": ("3\ncut\nO 0 0 0\nH 0 0 1\n" + GOOD, "frame 0, atom 2: expected 'symbol x y z'"),
    "longer.xyz": (GOOD + "H 5 5 5\n", "frame 1: expected the number of atoms, found 'H 5 5 5'"),
    "none.xyz": ("0\nnothing\n", "frame 0: the structure has no atoms"),
    "odd.xyz": (
        xyz("N 0 0 0", "O 0 0 1.15", comment="multiplicity=1"),
        "frame 0: 11 valence electrons at charge 0 do not have multiplicity 1: it must be even",
    ),
    "charged.xyz": (
        xyz(*WATER.splitlines(), comment="charge=1 multiplicity=3"),
        "frame 0: 7 valence electrons at charge 1 do not have multiplicity 3",
    ),
    "unpaired.xyz": (
        xyz("H 0 0 0", "H 0 0 0.74", comment="multiplicity=5"),
        "frame 0: 2 valence electrons have no 4 unpaired ones",
    ),
    "fraction.xyz": (
        xyz(*WATER.splitlines(), comment="charge=0.5"),
        "charge 0.5 .* not an integer",
    ),
    "endless.xyz": (
        xyz(*WATER.splitlines(), comment="charge=inf"),
        "charge inf .* not an integer",
    ),
    "bare.xyz": (
        xyz("H 0 0 0", "H 0 0 0.74", comment="charge=2"),
        "frame 0: charge 2 leaves 0 valence electrons",
    ),
    "empty.xyz": ("", "is empty"),
    "blank.xyz": ("\n\n\n", "is empty"),
    "empty.sdf": ("", "is empty"),
    "prose.xyz": ("not a structure\n", "frame 0: expected the number of atoms"),
    "prose.unknown": ("not a structure\n", "format is not recognised"),
    "truncated.sdf": (
        "\n".join(MOLFILE.splitlines()[:6]) + "\n",
        "frame 0: the record ends after 2 of the 3 atoms announced",
    ),
    "second.sdf": (
        MOLFILE + "$$$$\n" + "\n".join(MOLFILE.splitlines()[:5]) + "\n",
        "frame 1: the record ends after 1 of the 3 atoms announced",
    ),
    "v3000.sdf": (MOLFILE.replace("V2000", "V3000"), "frame 0: V3000"),
    "damaged.cif": ("data_x\nloop_\n_atom_site_label\n", "damaged.cif: "),
}
"""File name -> (content, regular expression of what follows the file name)."""
