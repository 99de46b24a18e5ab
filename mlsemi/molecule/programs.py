"""Files of other programs: parsed by ASE, and what they say beside the atoms.

ASE drops charges and multiplicities, reads every Turbomole coordinate as bohr, and takes the
partial atoms of a disordered crystal for whole ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

import numpy as np
from ase import Atoms, units

from mlsemi.errors import InputError, located
from mlsemi.molecule.electrons import said_by_info
from mlsemi.molecule.elements import number_of
from mlsemi.molecule.wording import Statement, clearly_said_in
from mlsemi.molecule.xyz import number_in

Reading = tuple[Atoms, list[Statement]]

BINARY = frozenset("bundletrajectory db netcdftrajectory traj gpw cp2k-dcd".split())  # noqa: SIM905

PAIRS = re.compile(r"^[ \t]*([+-]?\d+)[ \t,]+(\d+)(?:[ \t,]+[+-]?\d+)*[ \t]*$", re.MULTILINE)

CARTESIAN = re.compile(
    r"^[ \t]*[A-Za-z]\S*(?:[ \t]+[+-]?(?:\d+\.?\d*|\.\d+)){3}[ \t]*$", re.MULTILINE
)

GAUSSIAN_BOHR = re.compile(
    r"^#[^\n]*(?:\n[^\n]+)*?units\s*=?\s*\(?[^)\s]*\b(?:au|bohr)\b", re.M | re.I
)

LINK = re.compile(r"^[ \t]*--link1--[^\n]*$", re.MULTILINE | re.IGNORECASE)
"""Between the jobs of a Gaussian input."""

FROM_CHECKPOINT = re.compile(r"^#[^\n]*(?:\n[^\n]+)*?geom\s*=?\s*\(?[^)\s]*check", re.M | re.I)
"""A job whose geometry is that of the one before."""

OPEN_GROUP = re.compile(r"^[ \t]*\$(?:DATA|GRAD)[ \t]*$(?!.*^[ \t]*\$END[ \t]*$)", re.M | re.S)
"""A group of a GAMESS file without an end, which ASE looks for until it is interrupted."""

ION = re.compile(r"^\s*(?:(\d+)\s*\()?.*?(?:(?<=\s)(\d+))?([+-])\s*\)?\s*$")
"""Molecule of a CIF's formula with its number and charge: ``2(Na 1+)``."""


def read_program(path: str | os.PathLike[str], kind: str, text: str | None) -> Iterator[Reading]:
    """Every structure of a file that ASE reads.

    Parameters
    ----------
    path : path
    kind : str
        ASE's name of the format.
    text : str or None
        Content of the file; None if it is no text.

    Yields
    ------
    atoms : ase.Atoms
    statements : list of Statement
        Beside those that the Atoms make themselves.
    """
    if kind in ("json", "db"):
        yield from _rows(path, kind)
        return
    if kind == "turbomole" and text is not None:
        yield _turbomole(text)
        return
    if kind == "gaussian-in" and text is not None and len(jobs := LINK.split(text)) > 1:
        for job in jobs:
            if job.strip() and not FROM_CHECKPOINT.search(job):
                yield from read_program(path, kind, job)
        return
    if kind == "gamess-us-punch" and OPEN_GROUP.search(text or ""):
        raise InputError("ends within a group ($DATA or $GRAD); has it been cut?")
    said: list[Statement] = []
    if kind == "cif" and text is not None:
        said = list(_said_by_crystal(text))
    elif text is not None and kind != "mlsemi":  # whose records say it each
        text, said = _gaussian(text) if kind == "gaussian-in" else (text, [])
        said += _said_by_lines(text, kind)
    import ase.io  # slow
    from ase.io.formats import get_ioformat

    form = get_ioformat(kind)
    in_memory = text is not None and form.acceptsfd and not form.isbinary
    source = StringIO(text) if in_memory else str(path)
    for atoms in ase.io.iread(source, ":", format=kind, do_not_split_by_at_sign=True):
        if kind == "gaussian-in" and GAUSSIAN_BOHR.search(text or ""):
            atoms.positions *= units.Bohr
        yield atoms, said


def _rows(path: str | os.PathLike[str], kind: str) -> Iterator[Reading]:
    """Rows of a database of ASE, with the settings of the calculator and the key-value pairs."""
    import ase.db

    with ase.db.connect(str(path), type=kind, serial=True) as rows:
        for row in rows.select():
            settings = row.get("calculator_parameters", {})
            pairs = {key: vars(row).get(key, x) for key, x in row.key_value_pairs.items()}
            said = list(said_by_info(pairs, "key_value_pairs"))
            said += said_by_info(
                {key: settings[key] for key in ("charge", "multiplicity") if key in settings},
                "calculator_parameters",
            )
            yield row.toatoms(), said


def _said_by_lines(text: str, kind: str) -> Iterator[Statement]:
    """Charges and multiplicities in an input or output, whose lines hold much else."""
    found: dict[tuple[str, int | None], Statement] = {}
    for line in text.split("\n"):
        if kind.startswith("gamess"):  # elsewhere, ICHARG says where a density comes from
            line = re.sub("icharg", "charge", line, flags=re.IGNORECASE)
        for s in clearly_said_in(line, f"the {kind} file"):
            found.setdefault((s.quantity, s.value), s)
    yield from found.values()


def _gaussian(text: str) -> tuple[str, list[Statement]]:
    """Charge and multiplicity: the first line after the route with nothing but pairs of numbers.

    ASE cannot read one without spaces, nor coordinates without a decimal point; the text comes
    back with them.
    """
    route = text.find("#")
    pair = PAIRS.search(text, max(route, 0))
    if pair is None:
        return text, []
    words = f"the line {pair.group().strip()!r}"
    said = [
        Statement("charge", words, int(pair[1])),
        Statement("multiplicity", words, int(pair[2])),
    ]
    spaced = pair.group().replace(",", " ")
    table, blank, rest = text[pair.end() :].partition("\n\n")
    table = CARTESIAN.sub(
        lambda row: re.sub(r"(?<=\s)([+-]?\d+)(?=\s|$)", r"\1.0", row.group()), table
    )
    return text[: pair.start()] + spaced + table + blank + rest, said


def _turbomole(text: str) -> Reading:
    """A coord file, in the unit that it names.

    Raises
    ------
    InputError
        If it has no atoms or fractional coordinates.
    """
    head = re.search(r"^\s*\$coord\b([^\n]*)\n([^$]*)", text, re.MULTILINE)
    if head is None:
        raise InputError("has no group $coord")
    options = head[1].lower().split()
    if "frac" in options:
        raise InputError("holds fractional coordinates ($coord frac); give cartesian ones")
    unit = 1.0 if any(word.startswith("angs") for word in options) else units.Bohr
    rows = [row for line in head[2].split("\n") if (row := line.partition("#")[0].split())]
    numbers, positions = [], []
    for atom, row in enumerate(rows):
        with located(f"atom {atom}"):
            if len(row) < 4:
                raise InputError(f"expected 'x y z symbol', found {' '.join(row)!r}")
            positions.append([number_in(word) for word in row[:3]])
            numbers.append(number_of("D" if row[3].lower() == "d" else row[3]))
    atoms = Atoms(numbers, np.reshape(positions, (-1, 3)) * unit)
    if re.search(r"^\s*\$(periodic\s+[123]|lattice|cell)", text, re.MULTILINE):
        raise InputError("is periodic ($periodic, $cell): only molecules are supported")
    return atoms, list(_said_by_lines(text[: head.start()] + text[head.end() :], "coord"))


def _said_by_crystal(text: str) -> Iterator[Statement]:
    """Ions in the formula of a CIF.

    Raises
    ------
    InputError
        If the crystal is disordered.
    """
    from ase.io.cif import parse_cif

    for block in parse_cif(StringIO(text)):
        with located(block.name):
            _check_order(block)
        for key in ("_chemical_formula_moiety", "_chemical_formula_sum"):
            formula = str(block.get(key) or "")
            ions = [ION.search(part) for part in formula.split(",")]
            if sum(int(i[1] or 1) * int(i[2] or 1) * int(f"{i[3]}1") for i in ions if i):
                doubt = "a charged formula, and the file does not say how many a cell holds"
                yield Statement("charge", f"{key} {formula!r}", doubt=doubt, fatal=True)
                break


def _check_order(block: Mapping[str, Any]) -> None:
    labels = block.get("_atom_site_label") or block.get("_atom_site_type_symbol") or []
    disordered = {
        "an occupancy below one": [
            isinstance(value, int | float) and value < 0.999
            for value in block.get("_atom_site_occupancy") or []
        ],
        "a disorder group": [
            str(value) not in ("?", ".", "None", "0")
            for value in block.get("_atom_site_disorder_group") or []
        ],
    }
    for what, flags in disordered.items():
        if any(flags):
            site = labels[flags.index(True)] if len(labels) == len(flags) else "a site"
            raise InputError(f"site {site} has {what}: the crystal is disordered; keep one part")
