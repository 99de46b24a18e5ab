"""Structures in, files out: every format that ASE reads, errors that say file, frame and atom.

ASE parses. This file splits multi-record text formats itself, because ASE leaves things to
chance there: it reads a truncated molfile as a smaller molecule, stops at a blank line between
xyz frames, and takes the first record of an SDF. Frames and atoms are counted from 0.
"""

from __future__ import annotations

import os
import re
import sys
import warnings as python_warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from ase.io.formats import UnknownFileTypeError, filetype, open_with_compression

from mlsemi.elements import number_of
from mlsemi.errors import InputError, MlsemiError
from mlsemi.structure import Structure

STDIN = "standard input"


@dataclass(frozen=True, eq=False)
class Frame:
    """One structure of a file and where it came from.

    Attributes
    ----------
    structure : Structure
    file : str
        Path as given.
    index : int
        Number of the frame in the file, from 0.
    warnings : tuple of str
        What was ignored or looks odd; none of it stops a calculation.
    name : str
        Title of the record; empty without one.
    """

    structure: Structure
    file: str
    index: int
    warnings: tuple[str, ...] = ()
    name: str = ""

    @property
    def label(self) -> str:
        """``FILE, frame K``."""
        return f"{self.file}, frame {self.index}"


@contextmanager
def located(place: str) -> Iterator[None]:
    """Prefix ``place`` to the text of any mlsemi error raised inside the block."""
    try:
        yield
    except MlsemiError as error:
        joint = ", " if str(error).startswith("atom ") else ": "
        raise type(error)(f"{place}{joint}{error}") from None


def read_structures(path: str | os.PathLike[str], charge: int | None = None) -> list[Structure]:
    """All structures of a file; see :func:`iter_frames`."""
    return [frame.structure for frame in iter_frames(path, charge)]


@contextmanager
def collected(bad: list[MlsemiError] | None) -> Iterator[None]:
    """Append an InputError of the block to ``bad``; without a list it goes its way."""
    try:
        yield
    except InputError as error:
        if bad is None:
            raise
        bad.append(error)


def iter_frames(
    path: str | os.PathLike[str],
    charge: int | None = None,
    *,
    bad: list[MlsemiError] | None = None,
) -> Iterator[Frame]:
    """Iterate over the checked frames of a file.

    Parameters
    ----------
    path : path
        Any format that ASE recognises; ``-`` reads xyz from standard input.
    charge : int, optional
        Total charge of every frame. Without it the charge comes from the file (``charge=N`` in
        the comment line of an xyz frame, ``M  CHG`` lines of a molfile) and is 0 otherwise.
    bad : list of MlsemiError, optional
        Takes the errors of single frames, which are then left out; by default the first is raised.

    Raises
    ------
    InputError
        In one line, with file, frame and atom wherever they are known.
    """
    file = STDIN if str(path) == "-" else str(path)
    index, n_bad = -1, len(bad or ())
    for index, atoms, notes in _iter_atoms(path, file, bad):
        structure = None
        with collected(bad), located(f"{file}, frame {index}"):
            total = charge_of(atoms, notes) if charge is None else charge
            structure = Structure.from_ase(atoms, total)
        if structure is None:
            continue
        if atoms.pbc.any() or atoms.cell.rank:
            notes.append("the periodic cell is ignored")
        name = " ".join(str(atoms.info.get("name", "")).split())
        yield Frame(structure, file, index, tuple(notes), name)
    if index < 0 and n_bad == len(bad or ()):
        raise InputError(f"{file}: holds no structure")


def _iter_atoms(
    path: str | os.PathLike[str], file: str, bad: list[MlsemiError] | None
) -> Iterator[tuple[int, Atoms, list[str]]]:
    """Number and atoms of every frame, with the warnings of the parser."""
    with located(file):
        kind = "extxyz" if file == STDIN else _format_of(Path(path))
        if kind not in _RECORDS:
            with _parsing() as notes:
                frames = list(
                    ase.io.iread(str(path), ":", format=kind, do_not_split_by_at_sign=True)
                )
            yield from ((k, atoms, list(notes)) for k, atoms in enumerate(frames))
            return
        text = _text_of(path, file)
    split, read = _RECORDS[kind]
    atoms: Atoms | None = None
    for index, record in enumerate(split(text)):
        if index and atoms is None and bad and kind in ("xyz", "extxyz") and not _counts(record):
            bad[-1] = InputError(f"{bad[-1]}; no frame can be found after it")
            return
        atoms = None
        with collected(bad), located(f"{file}, frame {index}"), _parsing() as notes:
            atoms = read(record)
        if atoms is not None:
            atoms.info.setdefault("name", _title(kind, record))
            yield index, atoms, list(notes)


def _counts(record: str) -> bool:
    """Whether a record of an xyz file announces its number of atoms."""
    return record.partition("\n")[0].strip().isdecimal()


def _title(kind: str, record: str) -> str:
    """Name of a record: first line of a molfile, free comment of an xyz frame, title of a PDB."""
    if kind == "proteindatabank":
        found = re.search(r"^(?:TITLE|COMPND)\s+(.*)", record, flags=re.MULTILINE)
        return found[1] if found else ""
    lines = record.split("\n", 2)
    if kind in ("sdf", "mol"):
        return lines[0]
    return lines[1] if len(lines) > 1 and "=" not in lines[1] else ""


def _format_of(path: Path) -> str:
    """ASE's name of the format of an existing, non-empty file."""
    if path.is_dir():
        raise InputError("is a directory, not a structure file")
    try:
        if path.stat().st_size == 0:
            raise InputError("is empty")
        with open(path, "rb"):
            pass
        with _parsing():
            return str(filetype(str(path)))
    except FileNotFoundError:
        raise InputError("no such file") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from None


def _text_of(path: str | os.PathLike[str], file: str) -> str:
    try:
        if file == STDIN:
            text = sys.stdin.read()
        else:
            with open_with_compression(str(path)) as stream:
                text = str(stream.read()).removeprefix("\ufeff")
    except (OSError, EOFError) as error:
        raise InputError(f"cannot be read ({error})") from None
    except UnicodeDecodeError:
        raise InputError("is not a text file (UTF-8)") from None
    if not text.strip():
        raise InputError("is empty")
    return text


@contextmanager
def _parsing() -> Iterator[list[str]]:
    """Turn whatever an ASE parser raises into an InputError, and its warnings into notes."""
    notes: list[str] = []
    with python_warnings.catch_warnings(record=True) as caught:
        python_warnings.simplefilter("always")
        try:
            yield notes
        except MlsemiError:
            raise
        except UnknownFileTypeError:
            raise InputError("the format is not recognised; try xyz, sdf, pdb, cif") from None
        except Exception as error:  # the many parsers of ASE raise every kind of exception
            text = " ".join(str(error).split())[:200]
            raise InputError(f"cannot be parsed ({type(error).__name__}: {text})") from None
    notes.extend(" ".join(str(w.message).split()) for w in caught)


def charge_of(atoms: Atoms, notes: list[str]) -> int:
    """Charge stored with the frame, 0 without one; adds to ``notes`` what is odd about it."""
    value = atoms.info.get("charge", 0)
    if isinstance(value, bool | np.bool_):
        notes.append("the comment says 'charge' without '=N'; the charge is taken as 0")
        return 0
    try:
        if float(value) == int(value):
            return int(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InputError(f"the charge {value!s} in the file is not an integer; give --charge")


def _ase_read(text: str, kind: str) -> Atoms:
    atoms = ase.io.read(StringIO(text), format=kind)
    return atoms if isinstance(atoms, Atoms) else atoms[-1]


def _split_xyz(text: str) -> Iterator[str]:
    """Records of an xyz file: each announces its number of atoms; one that does not is the last."""
    lines = text.splitlines()
    start = 0
    while start < len(lines):
        head = lines[start].strip()
        if not head:
            start += 1
            continue
        end = start + 2 + int(head) if head.isdecimal() else len(lines)
        yield "\n".join(lines[start:end])
        start = end


def _read_xyz(record: str) -> Atoms:
    """One xyz or extended xyz frame, checked line by line."""
    head, _, rest = record.partition("\n")
    comment, _, body = rest.partition("\n")
    if not head.strip().isdecimal():
        raise InputError(f"expected the number of atoms, found {head.strip()[:40]!r}")
    n_atom = int(head)
    if n_atom == 0:
        raise InputError("the structure has no atoms")
    rows = [line.split() for line in body.splitlines()]
    present = next((i for i, row in enumerate(rows) if not row), len(rows))
    if present < n_atom:
        raise InputError(f"the frame ends after {present} of the {n_atom} atoms announced")
    if "Properties=" not in comment or re.search(r'Properties="?species:S:1:pos:R:3', comment):
        for atom, row in enumerate(rows):
            _check_xyz_row(atom, row)
    return _ase_read(record + "\n", "extxyz")


def _check_xyz_row(atom: int, row: list[str]) -> None:
    with located(f"atom {atom}"):
        if len(row) < 4:
            raise InputError(f"expected 'symbol x y z', found {' '.join(row)!r}")
        number_of(row[0])
        for word in row[1:4]:
            try:
                float(word)
            except ValueError:
                raise InputError(f"coordinate {word!r} is not a number") from None


def _split_molfiles(text: str) -> Iterator[str]:
    """Records of an SDF file."""
    for record in re.split(r"^\$\$\$\$.*\n?", text, flags=re.MULTILINE):
        if record.strip():
            yield record


def _read_molfile(record: str) -> Atoms:
    """One V2000 molfile with its formal charges."""
    lines = record.splitlines()
    counts = lines[3] if len(lines) > 3 else ""
    if "V3000" in counts:
        raise InputError("V3000 molfiles cannot be read; save the molecule as V2000 or xyz")
    if not counts[:3].strip().isdecimal():
        raise InputError(f"expected the counts line of a molfile, found {counts[:40]!r}")
    n_atom = int(counts[:3])
    present = sum(len(line.split()) >= 4 for line in lines[4 : 4 + n_atom])
    if present < n_atom:
        raise InputError(f"the record ends after {present} of the {n_atom} atoms announced")
    if lines[1][20:22].upper() == "2D":
        python_warnings.warn("the molfile is a two-dimensional drawing", stacklevel=2)
    atoms = _ase_read(record, "sdf")
    charges = [line.split()[4::2] for line in lines if line.startswith("M  CHG")]
    atoms.info["charge"] = sum(int(word) for row in charges for word in row)
    return atoms


def _split_pdb(text: str) -> Iterator[str]:
    """Models of a PDB file; pieces without atoms (headers, CONECT, the last END) are dropped."""
    for record in re.split(r"^END.*\n?", text, flags=re.MULTILINE):
        if re.search(r"^(ATOM|HETATM)", record, flags=re.MULTILINE):
            yield record


def _read_pdb(record: str) -> Atoms:
    return _ase_read(record, "proteindatabank")


_XYZ = (_split_xyz, _read_xyz)
_MOLFILE = (_split_molfiles, _read_molfile)
_PDB = (_split_pdb, _read_pdb)
_RECORDS: dict[str, tuple[Callable[[str], Iterator[str]], Callable[[str], Atoms]]] = {
    "extxyz": _XYZ,
    "xyz": _XYZ,
    "sdf": _MOLFILE,
    "mol": _MOLFILE,
    "proteindatabank": _PDB,
}
