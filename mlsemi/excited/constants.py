"""Constants of the excited states: per element and global, all of them trainable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import NamedTuple

import numpy as np

from mlsemi.errors import InputError, ParameterError
from mlsemi.molecule.elements import VALENCE, number_of, relative_of, symbol
from mlsemi.units import HARTREE_EV

_SLATER_CONDON = {
    5: (0.199265, 0.130410),
    6: (0.267708, 0.173720),
    7: (0.346029, 0.219055),
    8: (0.434230, 0.266415),
    9: (0.532305, 0.315800),
}
"""G1(sp), F2(pp) in hartree: Pople, Beveridge, Dobosh, J. Chem. Phys. 47, 2026 (1967), table I."""

_MNDO_EV = {
    14: (1.32, 7.31, 6.54),
    15: (1.92, 8.64, 7.68),
    16: (2.26, 9.90, 8.83),
    17: (2.42, 11.30, 9.97),
    35: (2.4558683, 11.2763254, 9.8544255),
    53: (2.4563820, 11.1477837, 9.9140907),
}
"""h_sp, g_pp, g_p2 in eV, also fitted to atomic spectra: Si: Dewar et al., Organometallics 5, 375
(1986); P: Dewar, McKee, Rzepa, J. Am. Chem. Soc. 100, 3607 (1978); S: Dewar, Reynolds, J. Comput.
Chem. 7, 140 (1986); Cl: Dewar, Rzepa, J. Comput. Chem. 4, 158 (1983); Br: Dewar, Healy, ibid. 4,
542 (1983); I: Dewar, Healy, Stewart, ibid. 5, 358 (1984)."""


def _default_exchange_sp() -> dict[int, float]:
    first = {z: g1 / 3.0 for z, (g1, _) in _SLATER_CONDON.items()}
    return first | {z: h_sp / HARTREE_EV for z, (h_sp, _, _) in _MNDO_EV.items()}


def _default_exchange_pp() -> dict[int, float]:
    first = {z: 3.0 * f2 / 25.0 for z, (_, f2) in _SLATER_CONDON.items()}
    return first | {z: 0.5 * (pp - p2) / HARTREE_EV for z, (_, pp, p2) in _MNDO_EV.items()}


def _default_hardness() -> dict[int, float]:
    return {z: row.hardness for z, row in VALENCE.items()}


TABLES = ("hardness", "exchange_sp", "exchange_pp")
"""The constants that every element has of its own."""


class Scalars(NamedTuple):
    """The constants that no element owns; see :class:`ExcitationParameters`."""

    ax: float
    alpha_k: float
    beta_j: float
    ax_one_center: float
    fock_near: float
    fock_far: float


@dataclass(frozen=True)
class ExcitationParameters:
    """Constants of the response.

    Attributes
    ----------
    hardness : mapping atomic number -> float
        eta_A = IP - EA = d2E/dN2, hartree; eta_AB of theory eq 8 is the mean of eta_A and eta_B
        (Grimme, J. Chem. Phys. 138, 244104 (2013)). The default table is twice the hardness of
        Ghosh and Islam (2010), who define it as d2E/dN2 / 2; the factor is already in it.
    exchange_sp, exchange_pp : mapping atomic number -> float
        One-center exchange integrals K_sp = (s p|s p) = G1/3 and K_pp = (p p'|p p') = 3 F2/25,
        hartree. Elements that are absent have none. Both act in (ia|jb) in full.
    ax : float
        Fraction of exact exchange, which screens gamma^J.
    alpha_k, beta_j : float
        Exponents of gamma^K and gamma^J.
    ax_one_center : float
        Weight of the one-center exchange integrals in (ij|ab).
    fock_near, fock_far : float
        Fraction of exact exchange that the orbital energies lack, on one atom and at large
        distance: theory eq 9a.
    moment : float
        Factor of all transition moments: a minimal basis makes bright states too bright.
    """

    hardness: Mapping[int, float] = field(default_factory=_default_hardness)
    exchange_sp: Mapping[int, float] = field(default_factory=_default_exchange_sp)
    exchange_pp: Mapping[int, float] = field(default_factory=_default_exchange_pp)
    ax: float = 0.2
    alpha_k: float = 1.42 + 0.48 * 0.2
    beta_j: float = 0.20 + 1.83 * 0.2
    ax_one_center: float = 1.0
    fock_near: float = 0.0
    fock_far: float = 0.0
    moment: float = 1.0

    def __post_init__(self) -> None:
        for name in TABLES:
            if not all(np.isfinite(value) for value in getattr(self, name).values()):
                raise ParameterError(f"excitation parameter {name} has a value that is not finite")
        scalars = (self.ax, self.alpha_k, self.beta_j, self.moment, *self.hardness.values())
        if not all(np.isfinite(value) and value > 0.0 for value in scalars):
            raise ParameterError(
                "hardness, ax, alpha_k, beta_j and moment must be positive and finite"
            )
        if not all(np.isfinite(self.scalars)):
            raise ParameterError("ax_one_center, fock_near and fock_far must be finite")

    @property
    def scalars(self) -> Scalars:
        """The constants that no element owns."""
        return Scalars(*(getattr(self, name) for name in Scalars._fields))

    @classmethod
    def hybrid(cls, ax: float) -> ExcitationParameters:
        """Grimme's exponents for a functional with the fraction ``ax`` of exact exchange."""
        return cls(ax=ax, alpha_k=1.42 + 0.48 * ax, beta_j=0.20 + 1.83 * ax)

    def with_elements(self, numbers: Iterable[int]) -> ExcitationParameters:
        """The same constants, and those of further elements: starts for a fit.

        Published constants of an element, times what the fit made of those of its relative; those
        of the relative themselves where none are published.

        Parameters
        ----------
        numbers : iterable of int
            Atomic numbers; those that have a hardness keep what they have.
        """
        published, known = ExcitationParameters(), tuple(self.hardness)
        tables = {name: dict(getattr(self, name)) for name in TABLES}
        for number in set(numbers) - set(known):
            relative = relative_of(number, known)
            for name, table in tables.items():
                default, own = getattr(published, name), getattr(self, name)
                if relative in own:
                    ratio = default.get(number, default[relative]) / default[relative]
                    table[number] = ratio * own[relative]
        return replace(self, **tables)  # type: ignore[arg-type]

    def without_exchange(self) -> ExcitationParameters:
        """Plain sTDA: the same constants, no one-center exchange."""
        return replace(self, exchange_sp={}, exchange_pp={})

    @classmethod
    def of_mapping(cls, data: object) -> ExcitationParameters:
        """Constants from their plain form (see :meth:`to_mapping`).

        Nothing may be missing but ``moment``, which sets of an earlier version do not have.

        Raises
        ------
        ParameterError
            If an entry is missing, unknown, not a number or out of range.
        """
        names = [f.name for f in fields(cls)]
        if isinstance(data, Mapping):
            data = {"moment": 1.0, **data}
        if not isinstance(data, Mapping) or set(data) != set(names):
            raise ParameterError(f"excitation parameters must be exactly {', '.join(names)}")
        try:
            return cls(**{name: _numbers(data[name]) for name in names})  # type: ignore[arg-type]
        except (TypeError, ValueError, AttributeError, InputError) as error:
            raise ParameterError(f"excitation parameters: {error}") from None

    def to_mapping(self, elements: tuple[str, ...]) -> dict[str, float | dict[str, float]]:
        """Plain form for a header: scalars, and tables by the symbols of ``elements``."""
        out: dict[str, float | dict[str, float]] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Mapping):
                value = {e: value[number_of(e)] for e in elements if number_of(e) in value}
            out[f.name] = value
        return out

    def hardness_of(self, numbers: np.ndarray) -> np.ndarray:
        """(n_atom,) hardness of each atom, hartree.

        Raises
        ------
        ParameterError
            If an element has no hardness.
        """
        try:
            return np.array([self.hardness[int(z)] for z in numbers])
        except KeyError as error:
            raise ParameterError(f"no hardness for element {symbol(error.args[0])}") from None

    def exchange_of(self, numbers: np.ndarray) -> np.ndarray:
        """(n_atom, 2) one-center exchange constants K_sp, K_pp of each atom, hartree."""
        rows = [(self.exchange_sp.get(int(z), 0), self.exchange_pp.get(int(z), 0)) for z in numbers]
        return np.array(rows, dtype=np.float64)


def _numbers(value: object) -> float | dict[int, float]:
    """A number, or a table from element symbols to numbers."""
    if isinstance(value, Mapping):
        return {number_of(str(key)): _number(entry) for key, entry in value.items()}
    return _number(value)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is not a number")
    return float(value)
