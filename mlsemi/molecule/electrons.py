"""What an input says about its electrons: total charge and multiplicity.

Files, comment lines and ``ase.Atoms`` say it in many words. Every door collects what is said as
:class:`mlsemi.molecule.wording.Statement` and lets :func:`settle` decide: what is given explicitly
wins, contradictions are refused, and what cannot be taken over for sure is named, never dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from mlsemi.errors import InputError
from mlsemi.molecule.elements import VALENCE
from mlsemi.molecule.structure import whole
from mlsemi.molecule.wording import Statement, is_charge, named, said_in, short


class StoredCharge(int):
    """A charge that a calculator has put into ``info``: another one may overwrite it unasked."""


class Electrons(NamedTuple):
    """What has been decided.

    Attributes
    ----------
    charge : int
        0 if nobody says one.
    multiplicity : int or None
        None if nobody says one.
    notes : list of str
        What a user should know: what was overruled or not taken over.
    """

    charge: int
    multiplicity: int | None
    notes: list[str]


def settle(
    statements: Iterable[Statement], charge: int | None = None, multiplicity: int | None = None
) -> Electrons:
    """Charge and multiplicity of what is said.

    Parameters
    ----------
    statements : iterable of Statement
    charge, multiplicity : int, optional
        Given explicitly: they win over what is said.

    Raises
    ------
    InputError
        For contradictions and values that make no sense.
    """
    notes: list[str] = []
    said = list(statements)
    spin = _decided("multiplicity", said, multiplicity, notes)
    if spin is not None and spin < 1:
        raise InputError(f"multiplicity {spin}: 1 is a closed shell, 2 a radical, 3 a triplet")
    return Electrons(_decided("charge", said, charge, notes) or 0, spin, notes)


def _decided(
    quantity: str, statements: list[Statement], given: int | None, notes: list[str]
) -> int | None:
    """Value of one quantity, None if nobody says one."""
    said = [s for s in statements if s.quantity == quantity]
    values = {s.value: s for s in reversed(said) if s.value is not None and not s.weak}
    weak = {s.value: s for s in reversed(said) if s.value is not None and s.weak}
    if given is not None:
        number = whole(given, quantity)
        notes += [
            f"the {quantity} given, {number}, wins over {s.value} ({s.words})"
            for s in [*values.values(), *weak.values()]
            if s.value != number
        ]
        notes += [f"the {quantity} given, {number}, wins over {s.words}" for s in said if s.fatal]
        return number
    advice = f"give the {quantity} (--{quantity} N, {quantity}=N)"
    for s in said:
        if s.fatal:
            raise InputError(f"{s.doubt} ({s.words}); {advice}")
    if len(values) > 1:
        sides = " but ".join(f"{s.value} ({s.words})" for s in reversed(values.values()))
        raise InputError(f"the {quantity} is {sides}; {advice}")
    default = "0" if quantity == "charge" else "the lowest"
    candidates = values or weak
    if not candidates:
        notes += dict.fromkeys(
            f"{s.doubt} ({s.words}); the {quantity} is taken as {default}" for s in said if s.doubt
        )
        return None
    value, chosen = list(candidates.items())[-1]
    notes += dict.fromkeys(s.doubt for s in said if s.value == value and s.doubt)
    notes += [
        f"the {quantity} is {value} ({chosen.words}), though {s.words} says {s.value}"
        for s in weak.values()
        if s.value != value
    ]
    return value


def miscounted(statements: Iterable[Statement], numbers: np.ndarray) -> Iterator[Statement]:
    """Doubt where a number of electrons that is said is not that of the neutral molecule.

    It may count all electrons or those outside the cores, so no charge follows from it for sure.

    Parameters
    ----------
    statements : iterable of Statement
    numbers : (n_atom,) array
        Atomic numbers.
    """
    neutral = {int(np.sum(numbers))}
    if all(int(z) in VALENCE for z in numbers):
        neutral.add(sum(VALENCE[int(z)].electrons for z in numbers))
    for s in statements:
        if s.quantity == "electrons" and s.value not in neutral:
            counts = " or ".join(str(n) for n in sorted(neutral))
            doubt = f"looks like a charge: the neutral molecule has {counts} electrons"
            yield Statement("charge", s.words, doubt=doubt)


def _stored(calc: object) -> dict[str, Any]:
    """Results of a calculator that holds those of another program."""
    from ase.calculators.singlepoint import SinglePointCalculator  # slow to import

    return calc.results if isinstance(calc, SinglePointCalculator) else {}


SILENT = frozenset({"numbers", "positions", "momenta", "masses", "tags"})
"""Arrays of Atoms that say nothing of their electrons."""


def silent(before: Atoms, atoms: Atoms, calculator: object) -> bool:
    """Whether neither Atoms say more of their electrons than the settings of their calculator.

    Parameters
    ----------
    before, atoms : ase.Atoms
    calculator : object
        The one that asks; what another one holds counts.
    """
    return all(
        not one.info and one.arrays.keys() <= SILENT and one.calc in (None, calculator)
        for one in (before, atoms)
    )


def said_by(atoms: Atoms) -> Iterator[Statement]:
    """What Atoms say: ``info``, the calculator they carry, initial charges and moments."""
    yield from said_by_info(atoms.info)
    calc = atoms.calc
    settings = getattr(calc, "parameters", None) or {}
    for name in ("charge", "multiplicity", "mult"):
        if settings.get(name) is not None:
            found = named(name, settings[name], f"the calculator's {name}")
            yield from (replace(s, weak=True) for s in found)
    results = _stored(calc) if calc is not None else {}
    yield from _summed(atoms.get_initial_charges(), "the sum of the initial charges", fatal=True)
    yield from _summed(results.get("charges", ()), "the sum of the stored charges", fatal=False)
    for name, column in atoms.arrays.items():
        if name != "initial_charges" and is_charge(name) and column.ndim == 1:
            yield from _summed(column, f"the sum of the column {name!r}", fatal=False)
    yield from _magnetic(atoms.get_initial_magnetic_moments(), "the initial magnetic moments")
    for name in ("magmom", "magmoms"):
        yield from _magnetic(np.atleast_1d(results.get(name, 0.0)), "the stored magnetic moments")


def said_by_info(info: Mapping[str, Any], where: str = "info") -> Iterator[Statement]:
    """What a dictionary such as ``atoms.info`` says, in itself and in dictionaries inside it."""
    flags = []
    for key, value in info.items():
        if isinstance(value, Mapping):
            unusable = list(named(str(key), value, f"{where}[{key!r}]"))
            yield from unusable or said_by_info(value, f"{where}[{key!r}]")
        elif isinstance(value, bool | np.bool_):
            flags.append(str(key))  # how ASE keeps the words of a comment line
        elif value is not None:
            yield from named(str(key), value, f"{where}[{key!r}] = {short(value)}")
    yield from said_in(" ".join(flags), where)


def _summed(charges: Any, words: str, *, fatal: bool) -> Iterator[Statement]:
    try:
        values = np.asarray(charges, dtype=float)
    except ValueError:  # a column of words
        return
    if not values.any():
        return
    total = float(values.sum())
    if np.isfinite(total) and abs(total - round(total)) < 0.1:
        yield Statement("charge", words, round(total), weak=True)
    else:
        doubt = f"the charge {total:.2f} is not an integer"
        yield Statement("charge", words, doubt=doubt, fatal=fatal)


def _magnetic(moments: np.ndarray, words: str) -> Iterator[Statement]:
    """Unpaired electrons of (n,) or (n, 3) moments, Bohr magnetons."""
    if np.abs(moments).max(initial=0.0) < 0.05:
        return
    unpaired = round(float(np.linalg.norm(np.sum(moments, axis=0))))
    if unpaired:
        yield Statement("multiplicity", words, unpaired + 1)
    else:
        yield Statement("multiplicity", words, doubt="looks like an open-shell singlet")
