"""V2000 molfiles and SDF: atoms, formal charges and data fields of every record."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from itertools import chain

import numpy as np
from ase import Atoms

from mlsemi.errors import InputError, located
from mlsemi.molecule.elements import number_of
from mlsemi.molecule.wording import Statement, doubts_in, ions_in, named, said_in
from mlsemi.molecule.xyz import number_in

CODES = {1: 3, 2: 2, 3: 1, 5: -1, 6: -2, 7: -3}
"""Charge that a code of the atom block stands for; 4 is an unpaired electron."""

LOOSE = re.compile(r"\s*M\s+(?:CHG|RAD|END)\b", re.IGNORECASE)
STRICT = ("M  CHG", "M  RAD", "M  END")

ORDER = {1: 1.0, 2: 2.0, 3: 3.0, 4: 1.5}
"""Bond order of a type of the bond block; 4 is aromatic."""

USUAL = {7: 3, 8: 2}
"""Bonds of nitrogen and oxygen without charge."""

COVALENT = frozenset((1, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53))
"""Partners with which four bonds of a carbon can be counted on."""

FIELD = re.compile(r"^>[^\n]*?<([^>\n]*)>[^\n]*\n((?:[^\n]*\S[^\n]*\n?)*)", re.MULTILINE)


NAMES = re.compile(r"(?:\w+[ _.-])*(?:name|title|cid|id|identifier)", re.IGNORECASE)
"""Data fields that name a molecule: ``PUBCHEM_COMPOUND_CID``, ``chembl_id``, ``Name``, ...; the
first of a record counts."""


def split_molfiles(lines: Iterator[str]) -> Iterator[str]:
    """Records of an SDF file."""
    record: list[str] = []
    for line in chain(lines, ["$$$$"]):
        if not line.startswith("$$$$"):
            record.append(line)
            continue
        if any(map(str.strip, record)):
            yield "\n".join([*record, ""])
        record = []


def title_of(record: str, field: str | None = None) -> str:
    """Name of a record: its first line, without one the data field that looks like a name.

    Parameters
    ----------
    record : str
    field : str, optional
        Name of the data field to take instead; empty where a record lacks it.
    """
    fields = {name.strip().lower(): value.strip() for name, value in FIELD.findall(record)}
    if field is not None:
        return fields.get(field.strip().lower(), "")
    title = record.partition("\n")[0].strip()
    return title or next((value for name, value in fields.items() if NAMES.fullmatch(name)), "")


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
    _check_hydrogens(lines, end, rows, atoms)
    for line in (lines[0], lines[2]):
        said += said_in(line, "the header")
    for name, value in FIELD.findall("\n".join(lines[end:])):
        where = f"data field <{name}>"
        said += named(name, value.strip(), where)
        if re.search(r"smi|inchi", name, re.IGNORECASE):
            said += ions_in(value, where)
        elif re.search(r"name|title|formula|comment", name, re.IGNORECASE):
            said += doubts_in(value.strip(), where)
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
    for line in properties:
        if LOOSE.match(line) and not line.startswith(STRICT):
            raise InputError(f"the line {line.strip()!r} is damaged")
    charges = list(_pairs(properties, "M  CHG", len(codes)).values())
    radicals = list(_pairs(properties, "M  RAD", len(codes)).values())
    words = "lines M  CHG"
    if not charges and not radicals:
        words = "charge codes of the atom block"
        charges = [CODES.get(code, 0) for code in codes if code not in (0, 4)]
        radicals = [2 for code in codes if code == 4]
    if charges:
        yield Statement("charge", words, sum(charges))
    if unpaired := sum(radical - 1 for radical in radicals):
        yield Statement("multiplicity", "unpaired electrons of the molfile", unpaired + 1)


def _pairs(properties: list[str], key: str, n_atom: int) -> dict[int, int]:
    """Value for every atom, from 0, that the lines with a key name."""
    found = {}
    for row in (line.split() for line in properties if line.startswith(key)):
        try:
            numbers = [int(word) for word in row[2:]]
        except ValueError:
            numbers = []
        if not numbers or len(numbers) != 2 * numbers[0] + 1:
            raise InputError(f"the line {' '.join(row)!r} is damaged")
        for atom, value in zip(numbers[1::2], numbers[2::2], strict=True):
            if not 1 <= atom <= n_atom:
                raise InputError(f"the line {' '.join(row)!r} names atom {atom} of {n_atom}")
            if atom - 1 in found:
                raise InputError(f"the lines {key} name atom {atom} twice")
            found[atom - 1] = value
    return found


def _bonds(lines: list[str], n_atom: int) -> list[tuple[int, int, float]]:
    """Pairs of atoms, from 0, with bond orders; none if the block is not clear in all its rows."""
    count = lines[3][3:6].strip()
    bonds = []
    for line in lines[4 + n_atom : 4 + n_atom + int(count if count.isdecimal() else 0)]:
        for words in ([line[:3], line[3:6], line[6:9]], line.split()[:3]):
            if len(words) == 3 and all(word.strip().isdecimal() for word in words):
                first, second, kind = map(int, words)
                break
        else:
            return []
        if not (0 < first <= n_atom and 0 < second <= n_atom):
            return []
        bonds.append((first - 1, second - 1, ORDER.get(kind, np.nan)))
    return bonds


def _check_hydrogens(
    lines: list[str], end: int, rows: list[str], atoms: list[tuple[int, list[float], int]]
) -> None:
    """Refuse drawings without their hydrogens, by the open valences of carbon.

    A single carbon with one or two open valences may be meant as a radical or carbene: it is named.
    Atoms with charge, radical or explicit valence, and their partners, are not judged.

    Raises
    ------
    InputError
        If hydrogens are missing.
    """
    n_atom = len(atoms)
    bonds = _bonds(lines, n_atom)
    partners: list[dict[int, float]] = [{} for _ in atoms]
    for first, second, order in bonds:
        partners[first][second] = partners[second][first] = order
    number = np.array([z for z, _, _ in atoms])
    position = np.array([x for _, x, _ in atoms])
    valence = np.array([sum(p.values()) for p in partners])
    properties = lines[4 + n_atom : end]
    marked = {k for k, (_, _, code) in enumerate(atoms) if code}
    marked |= {k for k, row in enumerate(rows) if row[48:51].strip(" 0")}
    for key in ("M  CHG", "M  RAD"):
        marked |= {k for k, value in _pairs(properties, key, n_atom).items() if value}
    open_at = []
    with_hydrogen = False
    for atom in np.flatnonzero(number == 6):
        around = partners[atom]
        near = np.linalg.norm(position - position[atom], axis=1) < 1.3
        if any(number[k] == 1 for k in around) or (near & (number == 1)).any():
            with_hydrogen = True
            continue
        # carbon monoxide and isonitriles, drawn without their formal charges
        dative = any(
            order == 3.0 and valence[k] > USUAL.get(number[k], 9) for k, order in around.items()
        )
        judged = around and not dative and COVALENT.issuperset(number[list(around)])
        if judged and not marked & {atom, *around} and valence[atom] <= 3.0:
            open_at.append(int(atom))
    if not open_at:
        return
    first = open_at[0]
    single = all(order == 1.0 for p in partners for order in p.values())
    words = f"atom {first} (C) has bonds for {valence[first]:g} of 4"
    few = len(open_at) == 1 and valence[first] >= 2.0 and (with_hydrogen or single)
    if few or (with_hydrogen and single):
        warnings.warn(f"{words}: are hydrogens missing?", stacklevel=2)
    else:
        raise InputError(
            f"hydrogens are missing ({words}): add them, or mark ions and radicals (M  CHG, M  RAD)"
        )
