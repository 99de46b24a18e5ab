"""Slow, obvious twin of the integrals: Gauss-Hermite quadrature, exact for these integrands.

The product of two Gaussians is a Gaussian around their weighted centre; what multiplies it is
a polynomial of low degree in each direction.
"""

import numpy as np

NODES, WEIGHTS = np.polynomial.hermite.hermgauss(6)
P_AXIS = {-1: 1, 0: 2, 1: 0}


def powers(basis, orbital):
    """Cartesian powers (x, y, z) of an s or p orbital."""
    power = [0, 0, 0]
    if basis.orbital_l[orbital] == 1:
        power[P_AXIS[int(basis.orbital_m[orbital])]] = 1
    return power


def primitives(basis, orbital):
    """(exponent, coefficient) pairs of an orbital."""
    of_atom = basis.shell_atom == basis.orbital_atom[orbital]
    shell = np.flatnonzero(of_atom & (basis.shell_l == basis.orbital_l[orbital]))[0]
    return list(zip(basis.exponents[shell], basis.coefficients[shell], strict=True))


def line_integral(i, a, A, j, b, B, left):
    """int left(x) (x-A)^i (x-B)^j exp(-a (x-A)^2 - b (x-B)^2) dx."""
    p = a + b
    centre = (a * A + b * B) / p
    x = centre + NODES / np.sqrt(p)
    values = left(x) * (x - A) ** i * (x - B) ** j
    return np.exp(-a * b / p * (A - B) ** 2) / np.sqrt(p) * (WEIGHTS @ values)


def one(x):
    return np.ones_like(x)


def identity(x):
    return x


def element(basis, positions, m, n, operator):
    """Sum over primitive pairs of a sum over terms, each a product of three line integrals.

    ``operator`` is a list of (factor, functions of x, y, z, axis differentiated or None).
    """
    A, B = positions[basis.orbital_atom[m]], positions[basis.orbital_atom[n]]
    i, j = powers(basis, m), powers(basis, n)
    total = 0.0
    for a, ca in primitives(basis, m):
        for b, cb in primitives(basis, n):
            for factor, functions, derivative in operator:
                product = factor * ca * cb
                for d in range(3):
                    arguments = (i[d], a, A[d])
                    if d == derivative:
                        # d/dx (x-B)^j g = j (x-B)^(j-1) g - 2 b (x-B)^(j+1) g
                        line = -2 * b * line_integral(*arguments, j[d] + 1, b, B[d], functions[d])
                        if j[d]:
                            line += j[d] * line_integral(*arguments, 0, b, B[d], functions[d])
                    else:
                        line = line_integral(*arguments, j[d], b, B[d], functions[d])
                    product *= line
                total += product
    return total


def operator_of(kind, k=0, origin=(0.0, 0.0, 0.0)):
    """Terms of the operators: overlap, dipole k, velocity k, angular k about ``origin``."""
    shifted = [lambda x, o=o: x - o for o in origin]

    def at(axis, function):
        return [function if d == axis else one for d in range(3)]

    i, j = (k + 1) % 3, (k + 2) % 3
    return {
        "overlap": [(1.0, [one] * 3, None)],
        "dipole": [(1.0, at(k, identity), None)],
        "velocity": [(1.0, [one] * 3, k)],
        "angular": [(1.0, at(i, shifted[i]), j), (-1.0, at(j, shifted[j]), i)],
    }[kind]
