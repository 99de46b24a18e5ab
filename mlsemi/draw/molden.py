"""Orbitals in Molden files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from mlsemi.molecule.basis import Basis
from mlsemi.molecule.elements import valence
from mlsemi.outputs import complete_or_absent

if TYPE_CHECKING:
    from mlsemi.result import Result

MOLDEN_P_ORDER = (2, 0, 1)
"""Molden wants p_x p_y p_z; the basis holds m = -1, 0, 1, which is y, z, x."""


def write_molden(result: Result, path: str | os.PathLike[str]) -> None:
    """Write the orbitals to a Molden file.

    Coefficients of the contraction refer to normalised primitives, p orbitals are ordered x, y,
    z; atomic units. The valence basis leaves core electrons out: ``[Core]`` holds their number
    (Molden, PySCF), ``[Pseudo]`` the charge of the nucleus that is left (Multiwfn, Molden2AIM).

    Parameters
    ----------
    result : Result
    path : path

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    _write(path, molden(result))


def molden(result: Result) -> str:
    """Text of the Molden file of one result; see :func:`write_molden`."""
    spins = [result.state] if result.beta is None else [result.state, result.beta]
    n = result.state.energies.size * len(spins)
    return _molden(
        result,
        np.hstack([result.inverse_root @ state.orbitals for state in spins]),
        np.concatenate([state.energies for state in spins]),
        np.concatenate([state.occupations for state in spins]) / len(spins),
        ["A"] * n,
        n_alpha=result.state.energies.size,
    )


def write_orbitals(
    path: str | os.PathLike[str],
    result: Result,
    orbitals: np.ndarray,
    energies: np.ndarray,
    occupations: np.ndarray,
    labels: list[str],
) -> None:
    """Write any orbitals of a molecule to a Molden file, as :func:`write_molden` does.

    Parameters
    ----------
    path : path
    result : Result
    orbitals : (n_orbital, k) array
        Columns over atomic orbitals.
    energies, occupations : (k,) arrays
    labels : list of str
        Symmetry labels, without blanks.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    _write(path, _molden(result, orbitals, energies, occupations, labels))


def _write(path: str | os.PathLike[str], text: str) -> None:
    with complete_or_absent(path) as temporary:
        temporary.write_bytes(text.encode("ascii", "backslashreplace"))


def _molden(
    result: Result,
    orbitals: np.ndarray,
    energies: np.ndarray,
    occupations: np.ndarray,
    labels: list[str],
    n_alpha: int | None = None,
) -> str:
    """Text of a Molden file; columns from ``n_alpha`` on are orbitals of beta spin."""
    structure = result.structure
    atoms = [
        f"{symbol} {i} {z} {x:.10f} {y:.10f} {r:.10f}"
        for i, (symbol, z, (x, y, r)) in enumerate(
            zip(structure.symbols, structure.numbers, structure.positions, strict=True), start=1
        )
    ]
    core = [
        f"{i} : {z - valence(z).electrons}"
        for i, z in enumerate(structure.numbers.tolist(), start=1)
        if z > valence(z).electrons
    ]
    pseudo = [
        f"{symbol} {i} {charge}"
        for i, (symbol, charge) in enumerate(
            zip(structure.symbols, structure.core_charges.astype(int).tolist(), strict=True), 1
        )
    ]
    columns = orbitals[_molden_order(result.basis)].T
    spins = ["Alpha" if n_alpha is None or k < n_alpha else "Beta" for k in range(len(labels))]
    blocks = []
    for label, energy, spin, occupation, column in zip(
        labels, energies, spins, occupations, columns, strict=True
    ):
        blocks += [f"Sym= {label}", f"Ene= {energy:.10f}", f"Spin= {spin}"]
        blocks.append(f"Occup= {occupation:g}")
        blocks += [f"{mu} {value:.10f}" for mu, value in enumerate(column, start=1)]
    title = " ".join(f"mlsemi, parameters {result.parameters.name}".split())
    lines = ["[Molden Format]", "[Title]", title, "[Atoms] AU", *atoms]
    lines += ["[Core]", *core, "[Pseudo]", *pseudo, "[GTO]"]
    lines += [*_molden_basis(result.basis, structure.n_atom), "[5D]"]
    return "\n".join([*lines, "[MO]", *blocks, ""])


def _molden_order(basis: Basis) -> np.ndarray:
    """Rows of the orbital coefficients in Molden's order."""
    rows: list[int] = []
    for l, offset in zip(basis.shell_l, basis.shell_offset, strict=False):
        inner = MOLDEN_P_ORDER if l == 1 else range(2 * l + 1)
        rows.extend(int(offset) + m for m in inner)
    return np.array(rows)


def _molden_basis(basis: Basis, n_atom: int) -> list[str]:
    """``[GTO]`` section; contraction coefficients divided by the norm of their primitive."""
    lines = []
    all_exponents, all_coefficients = basis.exponents, basis.coefficients
    for atom in range(n_atom):
        lines.append(f"{atom + 1} 0")
        for shell in np.flatnonzero(basis.shell_atom == atom):
            l, exponents = int(basis.shell_l[shell]), all_exponents[shell]
            # the norm of r^l exp(-a r^2) goes as a^(l/2 + 3/4); its constant cancels below
            weights = all_coefficients[shell] / exponents ** (0.5 * l + 0.75)
            mean = 0.5 * (exponents[:, None] + exponents[None, :])
            product = np.sqrt(exponents[:, None] * exponents[None, :])
            overlap = (product / mean) ** (l + 1.5)
            weights = weights / np.sqrt(weights @ overlap @ weights)
            lines.append(f"{'spdf'[l]} {exponents.size} 1.00")
            lines += [f"{a:.10e} {c:.10e}" for a, c in zip(exponents, weights, strict=True)]
        lines.append("")
    return lines
