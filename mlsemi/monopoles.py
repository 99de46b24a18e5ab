"""Two-electron integrals of the response: atomic monopoles plus one-center exchange.

In the Loewdin frame every orbital product is reduced to what it looks like on single atoms
(theory eq 7): charges interact through the screened gamma^J and gamma^K of theory eq 8, and
s-p dipoles and p-p quadrupoles interact on their own atom only. The latter are the one-center
exchange integrals of INDO. Monopoles see nothing of an n-pi* transition density; these
integrals are what separates its singlet from its triplet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np

from mlsemi.elements import VALENCE, number_of, symbol
from mlsemi.errors import InputError, ParameterError
from mlsemi.kernels import response
from mlsemi.structure import read_only
from mlsemi.units import HARTREE_EV

_SLATER_CONDON = {
    6: (0.267708, 0.173720),
    7: (0.346029, 0.219055),
    8: (0.434230, 0.266415),
    9: (0.532305, 0.315800),
}
"""G1(sp), F2(pp) in hartree: Pople, Beveridge, Dobosh, J. Chem. Phys. 47, 2026 (1967), table I."""

_MNDO_EV = {15: (1.92, 8.64, 7.68), 16: (2.26, 9.90, 8.83), 17: (2.42, 11.30, 9.97)}
"""h_sp, g_pp, g_p2 in eV, also fitted to atomic spectra: P: Dewar, McKee, Rzepa, J. Am. Chem.
Soc. 100, 3607 (1978); S: Dewar, Reynolds, J. Comput. Chem. 7, 140 (1986); Cl: Dewar, Rzepa,
J. Comput. Chem. 4, 158 (1983)."""


def _default_exchange_sp() -> dict[int, float]:
    first = {z: g1 / 3.0 for z, (g1, _) in _SLATER_CONDON.items()}
    return first | {z: h_sp / HARTREE_EV for z, (h_sp, _, _) in _MNDO_EV.items()}


def _default_exchange_pp() -> dict[int, float]:
    first = {z: 3.0 * f2 / 25.0 for z, (_, f2) in _SLATER_CONDON.items()}
    return first | {z: 0.5 * (pp - p2) / HARTREE_EV for z, (_, pp, p2) in _MNDO_EV.items()}


def _default_hardness() -> dict[int, float]:
    return {z: row.hardness for z, row in VALENCE.items()}


@dataclass(frozen=True)
class ExcitationParameters:
    """Constants of the response, per element and global; all of them are trainable.

    Attributes
    ----------
    hardness : mapping atomic number -> float
        eta_A = IP - EA = d2E/dN2, hartree; eta_AB of theory eq 8 is the mean of eta_A and eta_B
        (Grimme, J. Chem. Phys. 138, 244104 (2013)). The default table is twice the hardness of
        Ghosh and Islam (2010), who define it as d2E/dN2 / 2; the factor is already in it.
    exchange_sp, exchange_pp : mapping atomic number -> float
        One-center exchange integrals K_sp = (s p|s p) = G1/3 and K_pp = (p p'|p p') = 3 F2/25,
        hartree. Elements that are absent have none. Both act in (ia|jb) in full and in (ij|ab)
        times ``ax``, as eta does in gamma^K and gamma^J.
    ax : float
        Fraction of exact exchange.
    alpha_k, beta_j : float
        Exponents of gamma^K and gamma^J.
    """

    hardness: Mapping[int, float] = field(default_factory=_default_hardness)
    exchange_sp: Mapping[int, float] = field(default_factory=_default_exchange_sp)
    exchange_pp: Mapping[int, float] = field(default_factory=_default_exchange_pp)
    ax: float = 0.2
    alpha_k: float = 1.42 + 0.48 * 0.2
    beta_j: float = 0.20 + 1.83 * 0.2

    def __post_init__(self) -> None:
        for name in ("hardness", "exchange_sp", "exchange_pp"):
            if not all(np.isfinite(value) for value in getattr(self, name).values()):
                raise ParameterError(f"excitation parameter {name} has a value that is not finite")
        scalars = (self.ax, self.alpha_k, self.beta_j, *self.hardness.values())
        if not all(np.isfinite(value) and value > 0.0 for value in scalars):
            raise ParameterError("hardness, ax, alpha_k and beta_j must be positive and finite")

    @classmethod
    def hybrid(cls, ax: float) -> ExcitationParameters:
        """Grimme's exponents for a functional with the fraction ``ax`` of exact exchange."""
        return cls(ax=ax, alpha_k=1.42 + 0.48 * ax, beta_j=0.20 + 1.83 * ax)

    def without_exchange(self) -> ExcitationParameters:
        """Plain sTDA: the same constants, no one-center exchange."""
        return replace(self, exchange_sp={}, exchange_pp={})

    @classmethod
    def of_mapping(cls, data: object) -> ExcitationParameters:
        """Constants from their plain form (see :meth:`to_mapping`); nothing may be missing.

        Raises
        ------
        ParameterError
            If an entry is missing, unknown, not a number or out of range.
        """
        names = [f.name for f in fields(cls)]
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


@dataclass(frozen=True, eq=False)
class Interaction:
    """Two-electron interaction of transition densities in the Loewdin frame of one geometry.

    Build it with :func:`interaction`. It may carry per-atom values that depend on the
    environment: nothing below asks for elements.

    Attributes
    ----------
    positions : (n_atom, 3) array, bohr
    orbital_atom : (n_orbital,) int array
    s_orbital, p_orbital : (n_atom,) int arrays
        First orbital of the s and p shell of each atom, -1 where there is none.
    hardness : (n_atom,) array, hartree
    exchange : (n_atom, 2) array
        K_sp, K_pp of each atom, hartree.
    ax, alpha_k, beta_j : float
    gamma_j, gamma_k : (n_atom, n_atom) arrays, hartree
        theory eq 8.
    """

    positions: np.ndarray
    orbital_atom: np.ndarray
    s_orbital: np.ndarray
    p_orbital: np.ndarray
    hardness: np.ndarray
    exchange: np.ndarray
    ax: float
    alpha_k: float
    beta_j: float
    gamma_j: np.ndarray
    gamma_k: np.ndarray

    @property
    def n_atom(self) -> int:
        """Number of atoms."""
        return self.hardness.size

    @property
    def exchanging(self) -> np.ndarray:
        """Atoms with an s and a p shell and a one-center exchange constant that is not zero."""
        shells = (self.s_orbital >= 0) & (self.p_orbital >= 0)
        return np.flatnonzero(shells & self.exchange.any(axis=1))


def interaction(
    positions: np.ndarray,
    orbital_atom: np.ndarray,
    orbital_l: np.ndarray,
    hardness: np.ndarray,
    exchange: np.ndarray,
    scalars: tuple[float, float, float],
) -> Interaction:
    """Screened interactions of one geometry, theory eq 8.

    Parameters
    ----------
    positions : (n_atom, 3) array
        Bohr.
    orbital_atom, orbital_l : (n_orbital,) int arrays
        Atom and angular momentum of each orbital, at most one s and one p shell per atom.
    hardness : (n_atom,) array
        Hartree.
    exchange : (n_atom, 2) array
        K_sp, K_pp, hartree.
    scalars : tuple of float
        ax, alpha_k, beta_j.
    """
    ax, alpha_k, beta_j = scalars
    positions, hardness = read_only(positions), read_only(hardness)
    return Interaction(
        positions,
        read_only(orbital_atom, np.int64),
        _first_of_shell(orbital_atom, orbital_l, 0, hardness.size),
        _first_of_shell(orbital_atom, orbital_l, 1, hardness.size),
        hardness,
        read_only(exchange),
        ax,
        alpha_k,
        beta_j,
        response.screened(positions, hardness, ax, beta_j),
        response.screened(positions, hardness, 1.0, alpha_k),
    )


def _first_of_shell(
    orbital_atom: np.ndarray, orbital_l: np.ndarray, l: int, n_atom: int
) -> np.ndarray:
    first = np.full(n_atom, -1, dtype=np.int64)
    orbitals = np.flatnonzero(np.asarray(orbital_l) == l)
    # written backwards, so that the first orbital of a shell stays
    first[np.asarray(orbital_atom)[orbitals[::-1]]] = orbitals[::-1]
    return first


def respond(
    between: Interaction, occupied: np.ndarray, virtual: np.ndarray, X: np.ndarray, factor: float
) -> np.ndarray:
    """Apply factor (ia|jb) - (ij|ab) to vectors without storing the matrix.

    X is carried to the Loewdin frame (X_AO = C_occ X C_vir^T), where the monopole interaction
    is an element-wise product, and back: O(n_orbital^3) per vector, all of it BLAS.

    Parameters
    ----------
    between : Interaction
    occupied, virtual : (n_orbital, n_occ), (n_orbital, n_vir) arrays
    X : (n_vector, n_occ, n_vir) array
    factor : float
        s_K of theory eq 9.

    Returns
    -------
    (n_vector, n_occ, n_vir) array.
    """
    n_vector, n_occ, n_vir = X.shape
    n = occupied.shape[0]
    potential = transition_density(occupied, virtual, X)
    to_potential(between, potential, factor)
    half = (potential.reshape(n * n_vector, n) @ virtual).reshape(n, n_vector * n_vir)
    image = (occupied.T @ half).reshape(n_occ, n_vector, n_vir)
    return np.ascontiguousarray(image.transpose(1, 0, 2))


def transition_density(occupied: np.ndarray, virtual: np.ndarray, X: np.ndarray) -> np.ndarray:
    """X_AO = C_occ X C_vir^T as (n_orbital, n_vector, n_orbital): vectors stand in the middle."""
    n_vector, n_occ, n_vir = X.shape
    n = occupied.shape[0]
    flat = np.ascontiguousarray(X.transpose(1, 0, 2)).reshape(n_occ, n_vector * n_vir)
    half = (occupied @ flat).reshape(n * n_vector, n_vir)
    return (half @ virtual.T).reshape(n, n_vector, n)


def to_potential(between: Interaction, transition: np.ndarray, factor: float) -> None:
    """Overwrite transition densities (n_orbital, n_vector, n_orbital) by their potentials."""
    n_vector = transition.shape[1]
    atoms = (between.s_orbital, between.p_orbital)
    blocks = np.zeros((n_vector, between.n_atom, 4, 4))
    one_center = between.exchanging.size > 0
    if one_center:
        response.one_center_blocks(transition, *atoms, between.exchange, factor, between.ax, blocks)
    potential = np.zeros((between.n_atom, n_vector))
    if factor:
        charges = np.zeros((between.n_atom, n_vector))
        response.monopole_charges(transition, between.orbital_atom, charges)
        potential = factor * (between.gamma_k @ charges)
    response.replace_by_potential(
        transition,
        between.orbital_atom,
        *atoms,
        between.gamma_j,
        potential,
        blocks,
        one_center,
    )


def interaction_matrix(
    between: Interaction,
    occupied: np.ndarray,
    virtual: np.ndarray,
    configurations: tuple[np.ndarray, np.ndarray],
    factor: float,
) -> np.ndarray:
    """Matrix factor (ia|jb) - (ij|ab) of selected configurations.

    Parameters
    ----------
    between : Interaction
    occupied, virtual : (n_orbital, n_occ), (n_orbital, n_vir) arrays
    configurations : tuple of (n,) int arrays
        Columns of ``occupied`` and ``virtual``.
    factor : float
        s_K of theory eq 9.

    Returns
    -------
    (n, n) symmetric array, hartree.
    """
    active_occ, i = np.unique(configurations[0], return_inverse=True)
    active_vir, a = np.unique(configurations[1], return_inverse=True)
    occ = np.ascontiguousarray(occupied[:, active_occ].T)
    vir = np.ascontiguousarray(virtual[:, active_vir].T)
    vir_vir = _contract(between, between.gamma_j, between.ax, _multipoles(between, vir, vir))
    matrix = -response.coulomb_elements(_multipoles(between, occ, occ), vir_vir, i, a)
    if factor:
        q = _multipoles(between, occ, vir)[i, a]
        matrix += factor * (q @ _contract(between, between.gamma_k, 1.0, q).T)
    return matrix


def _multipoles(between: Interaction, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(n_left, n_right, n_channel) transition multipoles of orbitals given as rows."""
    heavy = between.exchanging
    channel = np.full(between.n_atom, -1, dtype=np.int64)
    channel[heavy] = between.n_atom + 8 * np.arange(heavy.size)
    return response.transition_multipoles(
        left,
        right,
        between.orbital_atom,
        between.s_orbital,
        between.p_orbital,
        channel,
        between.n_atom + 8 * heavy.size,
    )


def _contract(
    between: Interaction, gamma: np.ndarray, scale: float, multipoles: np.ndarray
) -> np.ndarray:
    """Multiply multipoles by their interaction: gamma between charges, K on single atoms."""
    n = between.n_atom
    constants = np.repeat(between.exchange[between.exchanging], (3, 5), axis=1)
    out = np.empty_like(multipoles)
    out[..., :n] = multipoles[..., :n] @ gamma
    out[..., n:] = multipoles[..., n:] * (scale * constants.ravel())
    return out


def diagonal(
    between: Interaction, occupied: np.ndarray, virtual: np.ndarray, factor: float
) -> np.ndarray:
    """Monopole part of factor (ia|ia) - (ii|aa), (n_occ, n_vir), hartree."""
    starts = _atom_starts(between)
    q_ii = np.add.reduceat(occupied**2, starts, axis=0)
    q_aa = np.add.reduceat(virtual**2, starts, axis=0)
    out = -(q_ii.T @ (between.gamma_j @ q_aa))
    if factor:
        ends = (*starts[1:], occupied.shape[0])
        parts = [occupied[s:e].T @ virtual[s:e] for s, e in zip(starts, ends, strict=True)]
        q_ia = np.array(parts).reshape(between.n_atom, -1)
        out += factor * np.einsum("Ax,Ax->x", q_ia, between.gamma_k @ q_ia).reshape(out.shape)
    return out


def _atom_starts(between: Interaction) -> np.ndarray:
    return np.searchsorted(between.orbital_atom, np.arange(between.n_atom))
