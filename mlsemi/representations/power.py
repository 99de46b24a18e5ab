"""Power spectrum: the invariants of order 2, without contraction and without generality."""

from __future__ import annotations

import numpy as np

from mlsemi.representations.kernels.power import add_power, add_power_adjoint
from mlsemi.symmetry.tensors import Irrep, Tensors


def power_spectrum(rho: Tensors, n_radial: int) -> np.ndarray:
    """p_kk'l = sum_m rho_klm rho_k'lm / sqrt(2 l + 1), all that is in rho_i^2 of (0, +1).

    The same numbers as ``Product.all(rho, rho, (SCALAR,))`` up to the sign (-1)^l of the coupling
    coefficients, faster, since species that an atom does not see cost nothing (Bartok, Kondor,
    Csanyi, Phys. Rev. B 87, 184115 (2013)).

    Parameters
    ----------
    rho : mapping
        Result of an expansion: {(l, +1): (n_atom, 2l+1, n_channel)}.
    n_radial : int
        Channels per species.

    Returns
    -------
    (n_atom, n_degree, n_channel (n_channel + 1) / 2) array
        Pairs k <= k', row after row of the upper triangle.
    """
    n_atom, _, n_channel = rho[Irrep(0, 1)].shape
    out = np.zeros((n_atom, len(rho), n_channel * (n_channel + 1) // 2))
    for l in range(len(rho)):
        add_power(rho[Irrep(l, 1)], n_radial, l, out)
    return out


def power_spectrum_adjoint(
    rho: Tensors, n_radial: int, out_bar: np.ndarray
) -> dict[Irrep, np.ndarray]:
    """Adjoint of :func:`power_spectrum`: rho_bar."""
    bars = {irrep: np.zeros_like(value) for irrep, value in rho.items()}
    for l in range(len(rho)):
        add_power_adjoint(rho[Irrep(l, 1)], n_radial, l, out_bar, bars[Irrep(l, 1)])
    return bars
