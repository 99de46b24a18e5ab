"""Structures in, files out: every format that ASE reads, errors that say file, frame and atom.

Multi-record text formats have files of their own (``xyz``, ``molfile``, ``pdb``), because ASE
leaves things to chance there: it reads a truncated molfile as a smaller molecule, stops at a blank
line between xyz frames, and takes the first record of an SDF. Frames and atoms are counted from 0.
"""

from __future__ import annotations

import lzma
import os
import re
import sys
import warnings as python_warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from ase import Atoms

from mlsemi.errors import InputError, MlsemiError, located
from mlsemi.molecule import examples
from mlsemi.molecule.electrons import miscounted, said_by, settle
from mlsemi.molecule.molfile import read_molfile, split_molfiles, title_of
from mlsemi.molecule.pdb import read_pdb, split_pdb
from mlsemi.molecule.programs import BINARY, Reading, read_program
from mlsemi.molecule.smiles import PREFIX as SMILES
from mlsemi.molecule.smiles import is_smiles, read_smiles
from mlsemi.molecule.structure import Structure, lowest_multiplicity
from mlsemi.molecule.wording import Statement
from mlsemi.molecule.xyz import read_xyz, split_xyz

STDIN = "standard input"
UNKNOWN = "the format is not recognised; try xyz, sdf, pdb, cif"


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
        """``FILE, frame K``; of what is in no file, ``structure K``."""
        return f"{self.file}, frame {self.index}" if self.file else f"structure {self.index}"


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
        For contradictions, unusable structures.
    """
    statements = [*said, *said_by(atoms)]
    electrons = settle([*statements, *miscounted(statements, atoms.numbers)], charge, multiplicity)
    spin, notes = electrons.multiplicity, electrons.notes
    if spin is None:
        spin = lowest_multiplicity(atoms.numbers, electrons.charge)
        if spin == 2:
            notes.append("an odd number of electrons: taken as a radical (multiplicity 2)")
    structure = Structure.from_ase(atoms, electrons.charge, spin)
    return structure, notes


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
    name_field: str | None = None,
) -> Iterator[Frame]:
    """Iterate over the checked frames of a file, reading no further than is asked for.

    Parameters
    ----------
    path : path
        Any format that ASE recognises; ``-`` reads xyz from standard input, ``smiles:CCO`` is built
        by RDKit, ``example:caffeine`` comes with the program.
    charge, multiplicity : int, optional
        Of every frame. Without them they come from the file (comment line of an xyz frame, formal
        charges of a molfile or PDB file, charge line of a Gaussian input, ...: see
        :mod:`mlsemi.molecule.electrons`) and are 0 and 1 otherwise.
    bad : list of MlsemiError, optional
        Takes the errors of single frames, which are then left out; by default the first is raised.
    name_field : str, optional
        Data field of SDF records that names them, instead of their title.

    Raises
    ------
    InputError
        In one line, with file, frame and atom wherever they are known.
    """
    file = STDIN if str(path) == "-" else str(path)
    index, n_bad = -1, len(bad or ())
    for index, atoms, said, notes in _iter_atoms(path, file, bad, name_field):
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
    path: str | os.PathLike[str],
    file: str,
    bad: list[MlsemiError] | None,
    name_field: str | None,
) -> Iterator[tuple[int, Atoms, list[Statement], list[str]]]:
    """Number and atoms of every frame, what is said beside them, the warnings of the parser."""
    with located(file):
        if file.startswith(examples.PREFIX):
            path = examples.path_of(file.removeprefix(examples.PREFIX))
        kind = _kind_of(path, file)
        if kind not in _RECORDS:
            with _parsing(kind) as notes:
                text = None if kind in BINARY else _text_of(path)
                frames = list(read_program(path, kind, text))
            yield from ((k, atoms, said, list(notes)) for k, (atoms, said) in enumerate(frames))
            return
    split, read = _RECORDS[kind]
    atoms: Atoms | None = None
    for index, record in enumerate(split(_lines_of(path, file))):
        if index and atoms is None and bad and kind in ("xyz", "extxyz") and not _counts(record):
            bad[-1] = InputError(f"{bad[-1]}; no frame can be found after it")
            return
        atoms = None
        with collected(bad), located(f"{file}, frame {index}"), _parsing(kind) as notes:
            atoms, said = read(record)
        if atoms is not None:
            atoms.info.setdefault("name", _title(kind, record, name_field))
            yield index, atoms, said, list(notes)


def _counts(record: str) -> bool:
    """Whether a record of an xyz file announces its number of atoms."""
    return record.partition("\n")[0].strip().isdecimal()


def _title(kind: str, record: str, field: str | None) -> str:
    """Name of a record: first line of a molfile, free comment of an xyz frame, title of a PDB."""
    if kind == "proteindatabank":
        found = re.search(r"^(?:TITLE|COMPND)\s+(.*)", record, flags=re.MULTILINE)
        return found[1] if found else ""
    if kind in ("sdf", "mol"):
        return title_of(record, field)
    lines = record.split("\n", 2)
    return lines[1] if len(lines) > 1 and "=" not in lines[1] else ""


def _kind_of(path: str | os.PathLike[str], file: str) -> str:
    """Format of what was given: standard input is xyz, a prefix says what is none of a file."""
    if file == STDIN:
        return "extxyz"
    return "smiles" if file.startswith(SMILES) else _format_of(Path(path))


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
        if re.search(r"\.(smi|smiles)(\.(gz|bz2|xz))?$", path.name, re.IGNORECASE):
            return "smiles"
        if path.suffix in (".xyz", ".dat") and _counts(_first_line(path)):
            return "extxyz"  # what ASE would say, which takes longer to import than to run
        from ase.io.formats import filetype

        with _parsing("a structure file"):
            kind = str(filetype(str(path)))
        if kind == "gamess-us-punch" and "$data" not in _text_of(path).lower():
            raise InputError(UNKNOWN)  # ASE takes every .dat for one
        return kind
    except FileNotFoundError:
        hint = f"; a SMILES is given as {SMILES}{path}" if is_smiles(str(path)) else ""
        raise InputError(f"no such file{hint}") from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})") from None


def _first_line(path: Path) -> str:
    with open(path, "rb") as stream:
        return stream.readline(100).decode("utf-8", "replace").removeprefix("\ufeff")


def _opened(path: str | os.PathLike[str]) -> IO[bytes]:
    """A file by its bytes; what is compressed unpacks itself."""
    if Path(path).suffix not in (".gz", ".bz2", ".xz"):
        return open(path, "rb")
    from ase.io.formats import open_with_compression

    stream: IO[bytes] = open_with_compression(str(path), "rb")
    return stream


def _text_of(path: str | os.PathLike[str]) -> str:
    """Content of a text file whose parser copes with letters of other encodings."""
    try:
        with _opened(path) as stream:
            text = stream.read().decode("utf-8", "replace")
    except (OSError, EOFError) as error:
        raise InputError(f"cannot be read ({error})") from None
    text = _plain(text)
    if not text.strip():
        raise InputError("is empty")
    return text


def _lines_of(path: str | os.PathLike[str], file: str) -> Iterator[str]:
    """Lines of a text file, of standard input or of a SMILES, without their ends, as needed."""
    if file.startswith(SMILES):
        yield file.removeprefix(SMILES)
        return
    blank = True
    with located(file), ExitStack() as opened:
        try:
            stream = sys.stdin
            if file != STDIN:
                binary = opened.enter_context(_opened(path))
                stream = opened.enter_context(TextIOWrapper(binary, encoding="utf-8"))
            for raw in stream:
                blank = blank and not raw.strip().strip("\ufeff")
                yield from _plain(raw).removesuffix("\n").split("\n")
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise InputError(f"cannot be read ({error})") from None
        except UnicodeDecodeError:
            raise InputError("is not a text file (UTF-8)") from None
        if blank:
            raise InputError("is empty")


def _plain(text: str) -> str:
    """Text with plain line ends and without byte order marks."""
    return text.replace("\ufeff", "").replace("\r\n", "\n").replace("\r", "\n")


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
        except Exception as error:  # the many parsers of ASE raise every kind of exception
            if type(error).__name__ == "UnknownFileTypeError":
                raise InputError(UNKNOWN) from None
            told = isinstance(error, ValueError | OSError | RuntimeError) and str(error)
            cause = " ".join(str(told or type(error).__name__).split())[:100]
            raise InputError(f"cannot be parsed as {kind}; is it one? ({cause})") from None
    about_ase = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
    notes.extend(
        " ".join(str(w.message).split()) for w in caught if not issubclass(w.category, about_ase)
    )


def _split_smiles(lines: Iterator[str]) -> Iterator[str]:
    """Lines of a list that hold something."""
    return filter(str.strip, lines)


def _read_smiles(record: str) -> Reading:
    """``SMILES name``."""
    smiles, _, name = record.strip().partition(" ")
    smiles, _, more = smiles.partition("\t")
    atoms = read_smiles(smiles)
    atoms.info["name"] = f"{more} {name}".strip() or smiles
    return atoms, []


_XYZ = (split_xyz, read_xyz)
_MOLFILE = (split_molfiles, read_molfile)
_PDB = (split_pdb, read_pdb)
_RECORDS: dict[str, tuple[Callable[[Iterator[str]], Iterator[str]], Callable[[str], Reading]]] = {
    "smiles": (_split_smiles, _read_smiles),
    "extxyz": _XYZ,
    "xyz": _XYZ,
    "sdf": _MOLFILE,
    "mol": _MOLFILE,
    "proteindatabank": _PDB,
}
