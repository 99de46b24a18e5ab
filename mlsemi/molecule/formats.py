"""Structures in, files out: every format that ASE reads, errors that say file, frame and atom.

Multi-record text formats have files of their own (``xyz``, ``molfile``, ``pdb``), because ASE
leaves things to chance there: it reads a truncated molfile as a smaller molecule, stops at a blank
line between xyz frames, and takes the first record of an SDF. Frames and atoms are counted from 0.
"""

from __future__ import annotations

import os
import re
import sys
import warnings as python_warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ase import Atoms
from ase.io.formats import UnknownFileTypeError, filetype, open_with_compression

from mlsemi.errors import InputError, MlsemiError, located
from mlsemi.molecule.electrons import said_by, settle
from mlsemi.molecule.molfile import read_molfile, split_molfiles
from mlsemi.molecule.pdb import read_pdb, split_pdb
from mlsemi.molecule.periodicity import PERIODIC, check_whole
from mlsemi.molecule.programs import BINARY, Reading, read_program
from mlsemi.molecule.structure import Structure, lowest_multiplicity
from mlsemi.molecule.wording import Statement
from mlsemi.molecule.xyz import read_xyz, split_xyz

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


def read_structures(path: str | os.PathLike[str], charge: int | None = None) -> list[Structure]:
    """All structures of a file; see :func:`iter_frames`."""
    return [frame.structure for frame in iter_frames(path, charge)]


def structure_of(
    atoms: Atoms,
    charge: int | None = None,
    multiplicity: int | None = None,
    said: Iterable[Statement] = (),
) -> tuple[Structure, list[str]]:
    """Structure of Atoms, with warnings about what they say.

    Parameters
    ----------
    atoms : ase.Atoms
    charge, multiplicity : int, optional
        By default what the Atoms say (:func:`mlsemi.molecule.electrons.said_by`), else 0, and 1 or
        for an odd number of electrons 2.
    said : iterable of Statement
        What a file says beside them.

    Raises
    ------
    InputError
        For contradictions, molecules cut by their cell, unusable structures.
    """
    check_whole(atoms)
    electrons = settle([*said, *said_by(atoms)], charge, multiplicity)
    spin, notes = electrons.multiplicity, electrons.notes
    if spin is None:
        spin = lowest_multiplicity(atoms.numbers, electrons.charge)
        if spin == 2:
            notes.append("an odd number of electrons: taken as a radical (multiplicity 2)")
    structure = Structure.from_ase(atoms, electrons.charge, spin)
    return structure, [*notes, *([PERIODIC] if atoms.pbc.any() else [])]


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
    multiplicity: int | None = None,
    *,
    bad: list[MlsemiError] | None = None,
) -> Iterator[Frame]:
    """Iterate over the checked frames of a file.

    Parameters
    ----------
    path : path
        Any format that ASE recognises; ``-`` reads xyz from standard input.
    charge, multiplicity : int, optional
        Of every frame. Without them they come from the file (comment line of an xyz frame, formal
        charges of a molfile or PDB file, charge line of a Gaussian input, ...: see
        :mod:`mlsemi.molecule.electrons`) and are 0 and 1 otherwise.
    bad : list of MlsemiError, optional
        Takes the errors of single frames, which are then left out; by default the first is raised.

    Raises
    ------
    InputError
        In one line, with file, frame and atom wherever they are known.
    """
    file = STDIN if str(path) == "-" else str(path)
    index, n_bad = -1, len(bad or ())
    for index, atoms, said, notes in _iter_atoms(path, file, bad):
        structure = None
        with collected(bad), located(f"{file}, frame {index}"):
            structure, more = structure_of(atoms, charge, multiplicity, said)
        if structure is None:
            continue
        name = " ".join(str(atoms.info.get("name", "")).split())
        yield Frame(structure, file, index, (*notes, *more), name)
    if index < 0 and n_bad == len(bad or ()):
        raise InputError(f"{file}: holds no structure")


def _iter_atoms(
    path: str | os.PathLike[str], file: str, bad: list[MlsemiError] | None
) -> Iterator[tuple[int, Atoms, list[Statement], list[str]]]:
    """Number and atoms of every frame, what is said beside them, the warnings of the parser."""
    with located(file):
        kind = "extxyz" if file == STDIN else _format_of(Path(path))
        if kind not in _RECORDS:
            with _parsing(kind) as notes:
                text = None if kind in BINARY else _text_of(path, file, strict=False)
                frames = list(read_program(path, kind, text))
            yield from ((k, atoms, said, list(notes)) for k, (atoms, said) in enumerate(frames))
            return
        text = _text_of(path, file)
    split, read = _RECORDS[kind]
    atoms: Atoms | None = None
    for index, record in enumerate(split(text)):
        if index and atoms is None and bad and kind in ("xyz", "extxyz") and not _counts(record):
            bad[-1] = InputError(f"{bad[-1]}; no frame can be found after it")
            return
        atoms = None
        with collected(bad), located(f"{file}, frame {index}"), _parsing(kind) as notes:
            atoms, said = read(record)
        if atoms is not None:
            atoms.info.setdefault("name", _title(kind, record))
            yield index, atoms, said, list(notes)


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
    if path.is_fifo():
        raise InputError("is a pipe; send xyz to standard input and give - as the file")
    try:
        if path.stat().st_size == 0:
            raise InputError("is empty")
        with open(path, "rb"):
            pass
        if re.search(r"\.ent(\.(gz|bz2|xz))?$", path.name, re.IGNORECASE):
            return "proteindatabank"
        with _parsing("a structure file"):
            return str(filetype(str(path)))
    except FileNotFoundError:
        raise InputError("no such file") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from None


def _text_of(path: str | os.PathLike[str], file: str, strict: bool = True) -> str:
    """Content of a text file with plain line ends and without byte order marks.

    Formats whose parsers cope with letters of other encodings are not held to UTF-8 (``strict``).
    """
    try:
        if file == STDIN:
            text = sys.stdin.read()
        else:
            with open_with_compression(str(path), "rb") as stream:
                text = stream.read().decode("utf-8", "strict" if strict else "replace")
    except (OSError, EOFError) as error:
        raise InputError(f"cannot be read ({error})") from None
    except UnicodeDecodeError:
        raise InputError("is not a text file (UTF-8)") from None
    text = text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InputError("is empty")
    return text


@contextmanager
def _parsing(kind: str) -> Iterator[list[str]]:
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
            told = isinstance(error, ValueError | OSError | RuntimeError) and str(error)
            cause = " ".join(str(told or type(error).__name__).split())[:100]
            raise InputError(f"cannot be parsed as {kind}; is it one? ({cause})") from None
    about_ase = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
    notes.extend(
        " ".join(str(w.message).split()) for w in caught if not issubclass(w.category, about_ase)
    )


_XYZ = (split_xyz, read_xyz)
_MOLFILE = (split_molfiles, read_molfile)
_PDB = (split_pdb, read_pdb)
_RECORDS: dict[str, tuple[Callable[[str], Iterator[str]], Callable[[str], Reading]]] = {
    "extxyz": _XYZ,
    "xyz": _XYZ,
    "sdf": _MOLFILE,
    "mol": _MOLFILE,
    "proteindatabank": _PDB,
}
