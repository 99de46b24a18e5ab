"""PDB files: models, alternate locations, elements and formal charges, then read by ASE."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Iterator
from io import StringIO
from itertools import chain

from ase import Atoms

from mlsemi.errors import InputError, located
from mlsemi.molecule.elements import number_of, symbol
from mlsemi.molecule.wording import Statement, clearly_said_in, doubts_in, ions_in

ATOM = ("ATOM", "HETATM")
RESIDUES = frozenset(
    """ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL
    HID HIE HIP CYX ASH GLH LYN ACE NME NMA A C G U I DA DC DG DT DU HOH WAT""".split()  # noqa: SIM905
)
"""Residues made of H, C, N, O, P and S, whose atom names begin with the element."""


def split_pdb(lines: Iterator[str]) -> Iterator[str]:
    """Models of a PDB file, each with the header; pieces without atoms are dropped."""
    header: list[str] | None = None
    record: list[str] = []
    for line in chain(lines, ["END"]):
        if not line.startswith("END"):
            record.append(line)
            continue
        start = next((k for k, row in enumerate(record) if row.startswith(ATOM)), None)
        if start is not None:
            yield "\n".join([*(header or ()), *record, ""])
            header = record[:start] if header is None else header
        record = []


def read_pdb(record: str) -> tuple[Atoms, list[Statement]]:
    """One model with what it says about its charge."""
    lines = record.split("\n")
    rows = _one_conformer([line.ljust(80) for line in lines if line.startswith(ATOM)])
    elements = [_element(atom, row) for atom, row in enumerate(rows)]
    # what ASE reads: a cell of 1 x 1 x 1 stands for none, and neither has a file without one
    cell = [line for line in lines if line.startswith(("CRYST1", "ORIGX"))]
    cell = [line for line in cell if not re.match(r"CRYST1(\s+[01]\.0+){3}", line)]
    plain = [
        f"{row[:16]} {row[17:76]}{element:>2}" for row, element in zip(rows, elements, strict=True)
    ]
    import ase.io  # slow

    atoms = ase.io.read(StringIO("\n".join([*cell, *plain, ""])), format="proteindatabank")
    atoms = atoms if isinstance(atoms, Atoms) else atoms[-1]
    said = [statement for line in lines for statement in _said_in_header(line)]
    charges = [_formal_charge(atom, row) for atom, row in enumerate(rows)]
    if any(charge is not None for charge in charges):
        total = sum(charge or 0 for charge in charges)
        said.append(Statement("charge", "columns 79-80", total))
    return atoms, said


def _said_in_header(line: str) -> Iterator[Statement]:
    """Remarks in words; the formula of a molecule that is not part of a polymer."""
    key, text = line[:6].strip(), line[6:].strip()
    if key in ("REMARK", "TITLE", "COMPND", "HEADER"):
        yield from clearly_said_in(text, key)
        yield from (doubts_in if key in ("TITLE", "COMPND") else ions_in)(text, key)
    elif key == "FORMUL" and (ion := re.search(r"\d[+-]", text)):
        doubt = f"looks like a charge of {ion.group()}"
        yield Statement("charge", f"{key} {text}", doubt=doubt)


def _one_conformer(rows: list[str]) -> list[str]:
    """Atoms of the alternate location with the largest occupancy, residue by residue.

    Raises
    ------
    InputError
        If that leaves out an atom that no other stands for.
    """
    residues: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        residues[row[21:27]][row[16]].append(row)
    kept = set()
    for residue in residues.values():
        letters = [letter for letter in residue if letter != " "]
        best = max(letters, key=lambda letter: _occupancy(residue[letter]), default=" ")
        kept |= {id(row) for letter in (" ", best) for row in residue[letter]}
        left = [row for letter in letters if letter != best for row in residue[letter]]
        names = {row[12:16].strip() for letter in (" ", best) for row in residue[letter]}
        alone = next((row for row in left if row[12:16].strip() not in names), None)
        place = " ".join((left or rows)[0][17:27].split())
        if alone is not None:
            raise InputError(
                f"residue {place} has alternate locations {' and '.join(letters)} with different "
                f"atoms ({alone[12:16].strip()} only in {alone[16]}); keep one of them"
            )
        if left:
            warnings.warn(
                f"residue {place} has alternate locations {' and '.join(letters)}: {best} is read",
                stacklevel=2,
            )
    return [row for row in rows if id(row) in kept]


def _occupancy(rows: list[str]) -> float:
    """Mean occupancy; the first of equals is the one to keep."""
    values = [float(row[54:60]) if row[54:60].strip() else 1.0 for row in rows]
    return sum(values) / len(values)


def _element(atom: int, row: str) -> str:
    """Symbol in columns 77-78; without one, from the atom's name where that is certain."""
    text = row[76:78].strip()
    if text.isalpha():
        with located(f"atom {atom}"):
            return symbol(number_of(text.upper()))
    name = row[12:16]
    letters = re.sub(r"[^A-Za-z]", "", name).upper()
    aligned = name[:1] in " 0123456789"  # the second column of the name ends the element
    if not letters:
        raise InputError(f"atom {atom} has no element in columns 77-78 and the name {name!r}")
    one, two = letters[:1], letters[:2].capitalize()
    may_be_two = not aligned and name[:2].isalpha() and _is_element(two)
    hydrogen = one == "H" and len(name.strip()) == 4
    if not may_be_two or row[17:20].strip() in RESIDUES or hydrogen:
        with located(f"atom {atom}"):
            return symbol(number_of(one))
    if two in ("Cl", "Br", "Si") or row[17:20].strip().upper() == two.upper():
        return two
    raise InputError(
        f"atom {atom}: the element in columns 77-78 is missing, and {name.strip()!r} may be "
        f"{two} or {one}"
    )


def _is_element(text: str) -> bool:
    try:
        return number_of(text) > 0
    except InputError:
        return False


def _formal_charge(atom: int, row: str) -> int | None:
    """Formal charge in columns 79-80, as 2- or -2; numbers without a sign are line numbers."""
    text = row[78:80].strip()
    if not text.strip("0123456789"):
        return 0 if text == "0" and row[76:78].strip() else None
    sign = text.strip("0123456789")
    if sign not in ("+", "-") or len(row[76:].strip()) > 4:
        raise InputError(f"atom {atom}: columns 79-80 read {text!r}, which is no charge")
    return int(f"{sign}{text.strip('+-') or 1}")
