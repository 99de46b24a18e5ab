"""Settings of the calculator: which make sense, in which units, and those that a file holds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import ReadError
from ase.io.jsonio import read_json

from mlsemi.errors import InputError
from mlsemi.evaluate import check_temperature, surroundings_of
from mlsemi.molecule.electrons import settle
from mlsemi.molecule.structure import whole
from mlsemi.response.surroundings import numbers_of, pair_of
from mlsemi.units import BOHR_ANGSTROM, FORCE_EV_ANGSTROM

Init = TypeVar("Init", bound=Callable[..., None])

SURROUNDINGS = ("solvent", "field", "point_charges")


def showing(defaults: Mapping[str, Any]) -> Callable[[Init], Init]:
    """Show settings and their defaults in the signature of an ``__init__`` that takes keywords.

    The function itself has to know which of them were given: those of a file stay otherwise.

    Parameters
    ----------
    defaults : mapping
    """

    def shown(init: Init) -> Init:
        own = inspect.signature(init)
        kinds = inspect.Parameter
        first = kinds("self", kinds.POSITIONAL_OR_KEYWORD)
        named = [kinds(name, kinds.KEYWORD_ONLY, default=x) for name, x in defaults.items()]
        named[0] = named[0].replace(kind=kinds.POSITIONAL_OR_KEYWORD)
        more = [p for p in own.parameters.values() if p.kind is kinds.VAR_KEYWORD]
        init.__signature__ = own.replace(parameters=[first, *named, *more])  # type: ignore[attr-defined]
        return init

    return shown


def checked(
    changes: Mapping[str, Any], before: Mapping[str, Any], known: Mapping[str, Any]
) -> dict[str, Any]:
    """Changes of settings in a form that ASE can compare.

    Parameters
    ----------
    changes, before : mapping
        What is to be set, and what has been.
    known : mapping
        All settings there are.

    Raises
    ------
    InputError
        For what is unknown, makes no sense, or does not go together.
    """
    changes = dict(changes)
    unknown = set(changes) - set(known)
    if unknown:
        raise InputError(
            f"no parameter {', '.join(sorted(unknown))} (there are {', '.join(known)})"
        )
    if "state" in changes:
        changes["state"] = state = whole(changes["state"], "state")
        if state < 0:
            raise InputError(f"state {state}: 0 is the ground state, 1 the first excited singlet")
    settle((), changes.get("charge"), changes.get("multiplicity"))
    after = {**before, **changes}
    surroundings(after)
    check_temperature(changes.get("electronic_temperature", 0.0))
    if changes.get("point_charges") is not None:  # ASE compares dictionaries of arrays
        changes["point_charges"] = _by_name(changes["point_charges"])
    return changes


def surroundings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a single point (atomic units) from settings (V/angstrom, angstrom).

    Parameters
    ----------
    settings : mapping

    Raises
    ------
    InputError
        If they make no sense.
    """
    found: dict[str, Any] = {name: settings.get(name) for name in SURROUNDINGS}
    if found["field"] is not None:
        found["field"] = numbers_of("field", found["field"]) / FORCE_EV_ANGSTROM
    if found["point_charges"] is not None:
        charges, positions = _by_name(found["point_charges"]).values()
        found["point_charges"] = charges, positions / BOHR_ANGSTROM
    surroundings_of(**found)
    return found


def _by_name(point_charges: Any) -> dict[str, np.ndarray]:
    """Point charges and their positions, given so or already by name."""
    if isinstance(point_charges, Mapping):
        point_charges = point_charges.values()
    return dict(zip(("charges", "positions"), pair_of(point_charges), strict=True))


def restored(path: str) -> tuple[dict[str, Any], tuple[str, Atoms, dict[str, Any]]]:
    """Settings in a file of ``MLSemi.write``, and the checksum, atoms and results beside them.

    Parameters
    ----------
    path : str

    Raises
    ------
    ReadError
        If the file is missing or no such file.
    """
    try:
        content = read_json(path)
        settings = dict(content["parameters"])
        return settings, (content["checksum"], content["atoms"], dict(content["results"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReadError(f"{path}: cannot be read ({error})") from None
