"""Header of a parameter set: what it must and may say, and the seal that covers all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields

from mlsemi.errors import ParameterError
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.molecule.elements import number_of

FORMAT = "mlsemi-parameters-1"
UNITS = "hartree, bohr"

FACTS = ("format", "name", "elements", "form", "checksum")
"""What every header says, beside its seal."""

PROVENANCE = ("reference", "units", "licence", "training", "errors", "start")
MORE = (*PROVENANCE, "excitation", "excitation_fit", "contact_fit", "response_fit", "committee")
"""What a header may say."""

LATER = ("extra", "bonded", "quadrupoles", "contact_exponents")
"""Entries of a form that sets of earlier versions lack: they were made with the default."""

HINTS = {"seal": ": a set of an earlier version? train it again"}


def sealed(header: Mapping[str, object]) -> dict[str, object]:
    """The same header with its seal: sha256 of all other entries, in whatever order they stand.

    Raises
    ------
    ParameterError
        If an entry is missing or unknown.
    """
    rest = {key: value for key, value in header.items() if key != "seal"}
    check_keys(rest, FACTS, MORE, "header")
    plain = json.loads(json.dumps(rest))  # as it will be read
    seal = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    return {key: rest[key] for key in FACTS} | {"seal": seal} | rest


def checked_header(header: object) -> ModelForm:
    """The form of the model, from a header that says all it must, no more, and is unchanged.

    Raises
    ------
    ParameterError, InputError
    """
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ParameterError(f"header is not of format {FORMAT}")
    check_keys(header, (*FACTS, "seal"), MORE, "header")
    names = [f.name for f in fields(ModelForm) if f.name not in ("elements", *LATER)]
    check_keys(header["form"], names, LATER, "form")
    if header["seal"] != sealed(header)["seal"]:
        raise ParameterError("header does not match its seal: it was changed or is corrupted")
    if not isinstance(header["name"], str) or not header["name"]:
        raise ParameterError(f"name = {header['name']!r}, need text")
    if header.get("units", UNITS) != UNITS:
        raise ParameterError(f"units = {header['units']!r}, need {UNITS!r}")
    if not isinstance(header["elements"], list):
        raise ParameterError(f"elements = {header['elements']!r}, need a list of symbols")
    elements = tuple(number_of(str(text)) for text in header["elements"])
    return ModelForm(elements, **header["form"])


def form_entries(form: ModelForm) -> dict[str, object]:
    """What a header says of a form; defaults that came later are left out, as they always were."""
    entries = {key: value for key, value in asdict(form).items() if key != "elements"}
    return {key: value for key, value in entries.items() if value or key not in LATER}


def check_keys(
    table: object, needed: Collection[str], allowed: Collection[str] | None, name: str
) -> None:
    """Refuse a table with an entry too few or too many.

    Parameters
    ----------
    table : object
    needed : collection of str
    allowed : collection of str or None
        Beside those that are needed; None for all.
    name : str
        Of the table.

    Raises
    ------
    ParameterError
        Naming the entry.
    """
    if not isinstance(table, Mapping):
        raise ParameterError(f"{name} = {table!r}, need a table")
    for key in needed:
        if key not in table:
            raise ParameterError(f"{name} has no entry {key!r}{HINTS.get(key, '')}")
    for key in table:
        if allowed is not None and key not in needed and key not in allowed:
            raise ParameterError(f"{name} has an unknown entry {key!r}")
