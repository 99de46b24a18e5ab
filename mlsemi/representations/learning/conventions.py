"""Orders of orbitals: from PySCF's and back, and whether matrices can be in ours.

Ours is atom, shell, m = -l..l, which for p is y, z, x. PySCF's differs in p alone: x, y, z. The
Cartesian components of a position operator follow the same rule and stand last here, first there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mlsemi.errors import InputError
from mlsemi.molecule.elements import symbol
from mlsemi.representations.learning.cartesian import ORDER
from mlsemi.representations.learning.operators import BlockKey, OperatorLayout
from mlsemi.symmetry.tensors import Irrep

N_SAMPLE, N_FEATURE = 2000, 8
"""Samples and features (the bare bond first) that are looked at for the order of p."""

ORDERS = {(0, 1, 2): "y, z, x", (1, 2, 0): "x, y, z", (2, 0, 1): "z, x, y"}
"""Places of y, z, x in the orders that programs use: ours, PySCF's, ORCA's."""

MARGIN = 0.5
"""Another order is believed in if it leaves less than this fraction of what ours leaves."""


def pyscf_layout(molecules: Iterable[Any], rank: int = 0) -> OperatorLayout:
    """Shells of each element in PySCF molecules.

    Parameters
    ----------
    molecules : iterable of pyscf.gto.Mole
    rank : int
        Degree of the operator: 0 for Fock and overlap matrices, 1 for positions.

    Raises
    ------
    InputError
        For Cartesian functions, or an element with two different bases.
    """
    shells: dict[int, tuple[int, ...]] = {}
    for mol in molecules:
        if mol.cart:
            raise InputError("Cartesian functions have no symmetry: build the molecule spherical")
        for atom in range(mol.natm):
            number = int(mol.atom_charge(atom)) + int(mol.atom_nelec_core(atom))
            found = tuple(
                int(mol.bas_angular(shell))
                for shell in mol.atom_shell_ids(atom)
                for _ in range(mol.bas_nctr(shell))
            )
            if shells.setdefault(number, found) != found:
                raise InputError(f"{symbol(number)} has two different bases")
    return OperatorLayout(shells, rank)


def pyscf_order(layout: OperatorLayout, numbers: np.ndarray) -> np.ndarray:
    """(n_orbital,) place of each of our orbitals among PySCF's.

    Parameters
    ----------
    layout : OperatorLayout
    numbers : (n_atom,) int array
    """
    rows: list[int] = []
    for number in np.asarray(numbers).tolist():
        for l in layout.shells[number]:
            inner = ORDER if l == 1 else np.arange(2 * l + 1)
            rows.extend((len(rows) + inner).tolist())
    return np.array(rows, dtype=int)


def from_pyscf(layout: OperatorLayout, numbers: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A matrix of PySCF in our order.

    Parameters
    ----------
    layout : OperatorLayout
        Shells in PySCF's order, as of :func:`pyscf_layout`.
    numbers : (n_atom,) int array
    matrix : (n_orbital, n_orbital) array, or (3, n_orbital, n_orbital) for rank 1

    Returns
    -------
    (n_orbital, n_orbital) array, or (n_orbital, n_orbital, 3) with components y, z, x.

    Raises
    ------
    InputError
        If the shape is another.
    """
    order = pyscf_order(layout, numbers)
    expected = (3,) * layout.rank + (order.size, order.size)
    if np.shape(matrix) != expected:
        raise InputError(f"matrix of shape {np.shape(matrix)}, these atoms need {expected}")
    out = np.asarray(matrix)[..., order[:, None], order]
    return np.moveaxis(out[ORDER], 0, -1) if layout.rank else out


def to_pyscf(layout: OperatorLayout, numbers: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Inverse of :func:`from_pyscf`.

    Parameters
    ----------
    layout : OperatorLayout
    numbers : (n_atom,) int array
    matrix : (n_orbital, n_orbital) array, or with a last axis of 3 for rank 1
    """
    back = np.argsort(pyscf_order(layout, numbers))
    if layout.rank:
        matrix = np.moveaxis(matrix, -1, 0)[np.argsort(ORDER)]
    return np.asarray(matrix)[..., back[:, None], back]


def check_order(
    layout: OperatorLayout, key: BlockKey, features: np.ndarray, targets: np.ndarray
) -> None:
    """Refuse matrices whose p orbitals are in another order.

    Between an s and a p orbital an operator is a vector, mostly along the bond. Of all orders of
    its components the true one is explained best by the vectors among the features.

    Parameters
    ----------
    layout : OperatorLayout
    key : BlockKey
    features : (n_sample, 3, n_feature) array
    targets : (n_sample, 3, n_column) array
        In the order of :meth:`OperatorLayout.columns`.

    Raises
    ------
    InputError
        If another order explains the targets far better.
    """
    if layout.rank or key.kind not in ("pair", "odd") or key.irrep != Irrep(1, 1):
        return
    numbers = np.array([key.first, key.second])
    first, second = layout.shells[key.first], layout.shells[key.second]
    wanted = [
        number
        for number, (a, b, _) in enumerate(layout.columns(numbers)[key])
        if {first[a], second[b]} == {0, 1}
    ]
    y = targets[:N_SAMPLE, :, wanted]
    x = features[:N_SAMPLE, :, : min(N_FEATURE, len(y) // 2)]
    if not x.size or not np.any(y):
        return
    vectors, sizes, _ = np.linalg.svd(x.reshape(-1, x.shape[2]), full_matrices=False)
    inside = vectors[:, sizes > 1e-9 * max(sizes[0], np.finfo(float).tiny)]

    def left(order: tuple[int, ...]) -> float:
        turned = y[:, order].reshape(-1, y.shape[2])
        return float(np.sum(turned**2) - np.sum((inside.T @ turned) ** 2))

    rest = {order: left(order) for order in ORDERS}
    best = min(rest, key=rest.__getitem__)
    if rest[best] < MARGIN * rest[0, 1, 2]:
        raise InputError(
            f"p orbitals of {symbol(key.first)} and {symbol(key.second)} are in the order "
            f"{ORDERS[best]}, need y, z, x (m = -1, 0, 1): convert with from_pyscf of "
            "mlsemi.representations.learning.conventions"
        )
