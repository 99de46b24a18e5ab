"""V2000 molfiles and SDF: atoms, formal charges and data fields of every record."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

from ase import Atoms

from mlsemi.errors import InputError, located
from mlsemi.molecule.elements import number_of
from mlsemi.molecule.wording import Statement, named, said_in
from mlsemi.molecule.xyz import number_in

CODES = {1: 3, 2: 2, 3: 1, 5: -1, 6: -2, 7: -3}
"""Charge that a code of the atom block stands for; 4 is an unpaired electron."""

FIELD = re.compile(r"^>[^\n]*?<([^>\n]*)>[^\n]*\n((?:[^\n]*\S[^\n]*\n?)*)", re.MULTILINE)


def split_molfiles(text: str) -> Iterator[str]:
    """Records of an SDF file."""
    for record in re.split(r"^\$\$\$\$.*\n?", text, flags=re.MULTILINE):
        if record.strip():
            yield record


def read_molfile(record: str) -> tuple[Atoms, list[Statement]]:
    """One V2000 molfile with what it says about charge and multiplicity."""
    lines = record.split("\n")
    counts = lines[3] if len(lines) > 3 else ""
    if "V3000" in counts:
        raise InputError("V3000 molfiles cannot be read; save the molecule as V2000 or xyz")
    if not counts[:3].strip().isdecimal():
        raise InputError(f"expected the counts line of a molfile, found {counts[:40]!r}")
    n_atom = int(counts[:3])
    if n_atom == 0:
        raise InputError("the structure has no atoms")
    rows = [line for line in lines[4 : 4 + n_atom] if len(line.split()) >= 4]
    if len(rows) < n_atom:
        raise InputError(f"the record ends after {len(rows)} of the {n_atom} atoms announced")
    if lines[1][20:22].upper() == "2D":
        warnings.warn("the molfile is a two-dimensional drawing", stacklevel=2)
    end = next((k for k, line in enumerate(lines) if line.startswith("M  END")), len(lines))
    atoms = [_atom(index, row) for index, row in enumerate(rows)]
    said = list(_formal(lines[4 + n_atom : end], [code for _, _, code in atoms]))
    for line in (lines[0], lines[2]):
        said += said_in(line, "the header")
    for name, value in FIELD.findall("\n".join(lines[end:])):
        said += named(name, value.strip(), f"data field <{name}>")
    return Atoms([z for z, _, _ in atoms], [x for _, x, _ in atoms]), said


def _atom(index: int, line: str) -> tuple[int, list[float], int]:
    """Atomic number, position and charge code of a line of the atom block.

    Columns are fixed; files written by hand keep to words instead.
    """
    fixed = [line[:10], line[10:20], line[20:30], line[31:34], line[36:39]]
    words = line.split()
    by_word = [*words[:4], words[5] if len(words) > 5 else ""]
    for parts in (fixed, by_word):
        try:
            code = parts[4].strip()
            position = [number_in(part.strip()) for part in parts[:3]]
            return number_of(parts[3].strip()), position, int(code) if code.isdecimal() else 0
        except InputError:
            continue
    with located(f"atom {index}"):
        return number_of(words[3]), [number_in(word) for word in words[:3]], 0


def _formal(properties: list[str], codes: list[int]) -> Iterator[Statement]:
    """Formal charges and radicals: property lines, or the codes of the atom block without any."""
    charges, radicals = _pairs(properties, "M  CHG"), _pairs(properties, "M  RAD")
    words = "lines M  CHG"
    if not charges and not radicals:
        words = "charge codes of the atom block"
        charges = [CODES.get(code, 0) for code in codes if code not in (0, 4)]
        radicals = [2 for code in codes if code == 4]
    if charges:
        yield Statement("charge", words, sum(charges))
    if unpaired := sum(radical - 1 for radical in radicals):
        yield Statement("multiplicity", "unpaired electrons of the molfile", unpaired + 1)


def _pairs(properties: list[str], key: str) -> list[int]:
    """Second numbers of the pairs (atom, value) of all lines with a key."""
    rows = [line.split() for line in properties if line.startswith(key)]
    try:
        values = [[int(word) for word in row[2:]] for row in rows]
    except ValueError:
        values = [[]]
    for row, numbers in zip(rows, values, strict=False):
        if not numbers or len(numbers) != 2 * int(numbers[0]) + 1:
            raise InputError(f"the line {' '.join(row)!r} is damaged")
    return [value for numbers in values for value in numbers[2::2]]
