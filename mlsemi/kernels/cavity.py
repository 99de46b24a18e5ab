"""Charges on the surface of a cavity: their interaction with each other and with atomic moments.

Points are sorted by atom, ``first[i]`` to ``first[i + 1]`` being those of atom i. A charge at a
point is smeared over a ball by the density (1 - r^2 / R^2)^3, and two of them interact by

    g(r) = 1 / R sum_(m=0)^4 (2m choose m) (y / 4)^m,  y = 1 - r^2 / R^2;   1 / r  from R on

the first terms of the series of 1 / r about R: four derivatives are continuous, and beyond R
nothing is approximated. R^2 = R_i^2 + R_j^2 for atoms i and j.
"""

from math import sqrt

import numpy as np

from mlsemi.kernels.jit import kernel


@kernel
def step(t):
    """Smooth step of seventh order from 0 at t = -1 to 1 at t = 1, and its slope."""
    x = 0.5 * (1.0 + t)
    value = x**4 * (35.0 + x * (-84.0 + x * (70.0 - 20.0 * x)))
    return value, 70.0 * (x * (1.0 - x)) ** 3


@kernel
def exposure(points, atom, positions, radii, widths):
    """(n_point,) switch of each point: the product of the steps by the spheres of other atoms.

    ``widths[i, j]`` is half the width of the step of points of atom i at the sphere of j.
    """
    out = np.ones(len(points))
    for k in range(len(points)):
        for i in range(len(positions)):
            if i == atom[k]:
                continue
            x = points[k, 0] - positions[i, 0]
            y = points[k, 1] - positions[i, 1]
            z = points[k, 2] - positions[i, 2]
            t = (sqrt(x * x + y * y + z * z) - radii[i]) / widths[atom[k], i]
            if t <= -1.0:
                out[k] = 0.0
                break
            if t < 1.0:
                out[k] *= step(t)[0]
    return out


@kernel
def exposure_adjoint(points, atom, positions, radii, widths, weights, positions_bar):
    """Add the gradient of sum_k weights_k ln F_k by the positions of the atoms."""
    for k in range(len(points)):
        own = atom[k]
        for i in range(len(positions)):
            if i == own:
                continue
            x = points[k, 0] - positions[i, 0]
            y = points[k, 1] - positions[i, 1]
            z = points[k, 2] - positions[i, 2]
            r = sqrt(x * x + y * y + z * z)
            t = (r - radii[i]) / widths[own, i]
            if t >= 1.0:
                continue
            value, slope = step(t)
            pull = weights[k] * slope / (value * widths[own, i] * r)
            for c, d in enumerate((x, y, z)):
                positions_bar[own, c] += pull * d
                positions_bar[i, c] -= pull * d


@kernel
def interactions(point, x, y, z, reach, close, near, steep):
    """Write g with other points (n,), and minus dg/dr over r; 1 / r unless ``close``."""
    px, py, pz = point
    for l in range(near.size):
        dx, dy, dz = px - x[l], py - y[l], pz - z[l]
        inverse = 1.0 / sqrt(dx * dx + dy * dy + dz * dz)
        near[l] = inverse
        steep[l] = inverse * inverse * inverse
    if not close:
        return
    root = 1.0 / sqrt(reach)
    for l in range(near.size):
        dx, dy, dz = px - x[l], py - y[l], pz - z[l]
        v = 1.0 - (dx * dx + dy * dy + dz * dz) * root * root
        inner = root * (1.0 + v * (0.5 + v * (0.375 + v * (0.3125 + v * 0.2734375))))
        slope = root * root * root * (1.0 + v * (1.5 + v * (1.875 + v * 2.1875)))
        near[l] = inner if v > 0.0 else near[l]
        steep[l] = slope if v > 0.0 else steep[l]


@kernel
def meet(points, first, i, j, reach):
    """Whether points (3, n_point) of atoms i and j can be within R: by the boxes around them."""
    square = 0.0
    for c in range(3):
        if first[i] == first[i + 1] or first[j] == first[j + 1]:
            return False
        one, other = points[c][first[i] : first[i + 1]], points[c][first[j] : first[j + 1]]
        gap = max(one.min() - other.max(), other.min() - one.max(), 0.0)
        square += gap * gap
    return square < reach


@kernel
def surface_rows(points, first, balls, i):
    """(points of atom i, points of atoms up to i) g; ``points`` is (3, n_point)."""
    start, end = first[i], first[i + 1]
    out = np.empty((end - start, end))
    for j in range(i + 1):
        reach = balls[i] ** 2 + balls[j] ** 2
        others = first[j], first[j + 1]
        x, y, z = points[0], points[1], points[2]
        x, y, z = x[others[0] : others[1]], y[others[0] : others[1]], z[others[0] : others[1]]
        steep, close = np.empty(x.size), meet(points, first, i, j, reach)
        for k in range(start, end):
            at = points[0, k], points[1, k], points[2, k]
            row = out[k - start][others[0] : others[1]]
            interactions(at, x, y, z, reach, close, row, steep)
    return out


@kernel
def onto_functions(rows, first, basis, functions, out):
    """Contract the points in (n, points of the first atoms) rows with the functions of each."""
    for n in range(len(rows)):
        row = rows[n]
        for j in range(functions.size - 1):
            start, end = first[j], first[j + 1]
            for m in range(functions[j + 1] - functions[j]):
                charges, total = basis[m], 0.0
                for l in range(start, end):
                    total += row[l] * charges[l]
                out[n, functions[j] + m] = total


@kernel
def surface_energy(points, first, balls, charges, potential, positions_bar):
    """Add g charges to ``potential`` and the gradient of half their product by the atoms.

    ``points`` is (3, n_point).
    """
    for i in range(first.size - 1):
        for j in range(i + 1):
            reach = balls[i] ** 2 + balls[j] ** 2
            start, end, close = first[j], first[j + 1], meet(points, first, i, j, reach)
            x, y, z = points[0][start:end], points[1][start:end], points[2][start:end]
            own, theirs = charges[start:end], potential[start:end]
            near, steep = np.empty(own.size), np.empty(own.size)
            force = np.zeros(3)
            for k in range(first[i], first[i + 1]):
                at = points[0, k], points[1, k], points[2, k]
                interactions(at, x, y, z, reach, close, near, steep)
                total = 0.0
                for l in range(own.size):
                    total += near[l] * own[l]
                potential[k] += total
                if i == j:
                    continue
                px = py = pz = 0.0
                for l in range(own.size):
                    theirs[l] += near[l] * charges[k]
                    pull = steep[l] * own[l]
                    px += pull * (at[0] - x[l])
                    py += pull * (at[1] - y[l])
                    pz += pull * (at[2] - z[l])
                for c, f in enumerate((px, py, pz)):
                    force[c] += charges[k] * f
            for c in range(3):
                positions_bar[i, c] -= force[c]
                positions_bar[j, c] += force[c]


@kernel
def moments_potential(points, positions):
    """(n_point, 4 n_atom) B: potential at points (n_point, 3) of unit charges and dipoles."""
    out = np.empty((len(points), 4 * len(positions)))
    for k in range(len(points)):
        for j in range(len(positions)):
            x = points[k, 0] - positions[j, 0]
            y = points[k, 1] - positions[j, 1]
            z = points[k, 2] - positions[j, 2]
            inverse = 1.0 / sqrt(x * x + y * y + z * z)
            cube = inverse * inverse * inverse
            out[k, 4 * j] = inverse
            out[k, 4 * j + 1] = cube * x
            out[k, 4 * j + 2] = cube * y
            out[k, 4 * j + 3] = cube * z
    return out


@kernel
def moments_energy(points, atom, positions, moments, charges, potential, positions_bar):
    """Subtract B moments from ``potential`` (n_point,); add the gradient of charges B moments."""
    for k in range(len(points)):
        own = atom[k]
        for i in range(len(positions)):
            d = points[k] - positions[i]
            inverse = 1.0 / sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2)
            cube = inverse**3
            along = moments[i, 1] * d[0] + moments[i, 2] * d[1] + moments[i, 3] * d[2]
            potential[k] -= moments[i, 0] * inverse + along * cube
            pull = moments[i, 0] * cube + 3.0 * along * cube * inverse**2
            for c in range(3):
                bar = charges[k] * (pull * d[c] - cube * moments[i, 1 + c])
                positions_bar[own, c] += bar
                positions_bar[i, c] -= bar
