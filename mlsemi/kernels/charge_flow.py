"""Charges that flow along bonds: their Coulomb interaction, the flow, and the way back."""

from math import erf, exp, log, pi, sqrt

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def interaction(start, index, squared, width, shift, near):
    """Interaction of Gaussian charges, shifted so that it ends at the reach of the list.

    k = erf(r / w) / r + shift_0 + shift_1 y^3 + shift_2 y^4, w^2 = w_i^2 + w_j^2,
    y = max(r - near, 0).

    Parameters
    ----------
    start, index, squared : arrays
        Lists of neighbours.
    width : (n,) array
    shift : (3,) array
    near : float

    Returns
    -------
    (2, start[-1]) array
        k and its derivative by the squared distance.
    """
    out = np.empty((2, index.size))
    for i in range(start.size - 1):
        for p in range(start[i], start[i + 1]):
            r = sqrt(squared[p])
            z = 1.0 / sqrt(width[i] ** 2 + width[index[p]] ** 2)
            y = max(r - near, 0.0)
            bare = erf(z * r) / r
            bell = 2.0 * z / sqrt(pi) * exp(-((z * r) ** 2))
            out[0, p] = bare + shift[0] + y**3 * (shift[1] + shift[2] * y)
            fall = (bell - bare) / r + y**2 * (3.0 * shift[1] + 4.0 * shift[2] * y)
            out[1, p] = fall / (2.0 * r)
    return out


@kernel
def potential(start, index, coulomb, own, charges):
    """A q: ``coulomb`` (start[-1],) between atoms, ``own`` (n,) of an atom with itself."""
    out = own * charges
    for i in range(own.size):
        total = 0.0
        for p in range(start[i], start[i + 1]):
            total += coulomb[p] * charges[index[p]]
            out[index[p]] += coulomb[p] * charges[i]
        out[i] += total
    return out


@kernel
def downhill(first, second, ease, uphill, charge):
    """Equal charges, and the flow down along each bond: charge / n - L uphill, all (n_atom,)."""
    out = np.full(uphill.size, charge / uphill.size)
    for b in range(first.size):
        flow = ease[b] * (uphill[first[b]] - uphill[second[b]])
        out[first[b]] -= flow
        out[second[b]] += flow
    return out


@kernel
def electronegativity(chi, pull, cn, most):
    """Chi - pull m^1/2 with m = ln(1 + e^most) - ln(1 + e^(most - cn)): (2, n) with its slope."""
    out = np.empty((2, cn.size))
    for i in range(cn.size):
        grown = exp(most - cn[i])
        root = sqrt(log((1.0 + exp(most)) / (1.0 + grown)) + 1e-14)
        out[0, i] = chi[i] - pull[i] * root
        out[1, i] = -0.5 * pull[i] / root * grown / (1.0 + grown)
    return out


@kernel
def flow_matrix(start, index, coulomb, own, first, second, ease):
    """1 + L A, dense: L = sum over bonds of ease (e_i - e_j) (e_i - e_j)^T."""
    n = own.size
    A, out = np.zeros((n, n)), np.eye(n)
    for i in range(n):
        A[i, i] = own[i]
        for p in range(start[i], start[i + 1]):
            A[i, index[p]] = A[index[p], i] = coulomb[p]
    for b in range(first.size):
        i, j = first[b], second[b]
        for k in range(n):
            flow = ease[b] * (A[i, k] - A[j, k])
            out[i, k] += flow
            out[j, k] -= flow
    return out


@kernel
def arrivals(first, second, flow, n):
    """B flow (n,): what flows on a bond arrives at its first atom and leaves its second."""
    out = np.zeros(n)
    for b in range(first.size):
        out[first[b]] += flow[b]
        out[second[b]] -= flow[b]
    return out


@kernel
def flow_adjoint(start, index, positions, slope, charges, back, bonds, gradient):
    """Add to the gradient (3, n) what moves the charges, at constant electronegativities.

    Parameters
    ----------
    start, index : arrays
        Lists of neighbours.
    positions : (3, n) array
    slope : (start[-1],) array
        Derivative of the interaction by the squared distance.
    charges, back : (n,) arrays
        The charges and the flow of the cotangent.
    bonds : (start[-1],) array
        Derivative of the energy by the squared distances of bonds.
    gradient : (3, n) array
    """
    for i in range(charges.size):
        for p in range(start[i], start[i + 1]):
            j = index[p]
            s = bonds[p] - slope[p] * (back[i] * charges[j] + back[j] * charges[i])
            for c in range(3):
                force = 2.0 * s * (positions[c, j] - positions[c, i])
                gradient[c, j] += force
                gradient[c, i] -= force
