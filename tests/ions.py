"""Oxalate, whose neutral form has an even number of electrons as well: a lost charge is silent."""

import numpy as np
from ase import Atoms

POSITIONS = np.array(
    [
        [0.0, 0.0, 0.0],
        [0.0, 0.0, 1.56],
        [1.11, 0.0, -0.58],
        [-1.11, 0.0, -0.58],
        [1.11, 0.0, 2.14],
        [-1.11, 0.0, 2.14],
    ]
)
SYMBOLS = ["C", "C", "O", "O", "O", "O"]
ROWS = [f"{s} {x} {y} {z}" for s, (x, y, z) in zip(SYMBOLS, POSITIONS, strict=True)]


def oxalate(**info):
    """Atoms with an ``info``."""
    atoms = Atoms(SYMBOLS, POSITIONS)
    atoms.info.update(info)
    return atoms


def xyz_of(comment):
    """An xyz frame with a comment line."""
    return "\n".join(["6", comment, *ROWS, ""])


def molfile_of(codes=(0,) * 6, properties="", end="M  END\n", fields="", header="oxalate"):
    """A V2000 molfile with charge codes, property lines and data fields."""
    atoms = "".join(
        f"{x:10.4f}{y:10.4f}{z:10.4f} {s:3} 0{code:3d}  0  0\n"
        for s, (x, y, z), code in zip(SYMBOLS, POSITIONS, codes, strict=True)
    )
    bonds = "  1  2  1  0\n  1  3  2  0\n  1  4  1  0\n  2  5  2  0\n  2  6  1  0\n"
    counts = "  6  5  0  0  0  0  0  0  0  0999 V2000\n"
    return f"{header}\n  test\n\n{counts}{atoms}{bonds}{properties}{end}{fields}"


def pdb_of(tails=("", "", "", "", "", ""), element=True, header=""):
    """A PDB file; ``tails`` stand in columns 79-80."""
    lines = [
        f"HETATM{k + 1:5d}  {s}{k + 1}  OXL A   1    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          "
        f"{s if element else '':>2}{tail}"
        for k, (s, (x, y, z), tail) in enumerate(zip(SYMBOLS, POSITIONS, tails, strict=True))
    ]
    return header + "\n".join([*lines, "END", ""])
