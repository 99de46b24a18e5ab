"""Gaussian expansions of Slater functions: how the table in ``mlsemi.molecule.basis`` was made.

A Slater function with zeta = 1, R_n(r) ~ r^(n-1) exp(-r), is expanded in K = 6 Gaussians
r^l exp(-a_k r^2); ns and np share their exponents. The exponents minimise the sum over the
shells of the squared deviations, int |slater - gaussians|^2 = 2 - 2 <slater|gaussians>
(Hehre, Stewart and Pople, J. Chem. Phys. 51, 2657 (1969); third row: Hehre,
Ditchfield, Stewart and Pople, J. Chem. Phys. 52, 2769 (1970)); for given exponents the best
coefficients are linear. Run ``python validation/slater_expansion.py`` to print the table and
the overlap of every expansion with its Slater function.
"""

from __future__ import annotations

from functools import partial
from math import factorial, gamma

import numpy as np
import scipy.linalg
import scipy.optimize

from mlsemi.molecule.basis import primitive_norm

N_PRIMITIVE = 6
STEP = 0.05
RADII = np.exp(np.arange(-12.0, 6.0, STEP))


def slater_overlaps(exponents: np.ndarray, n: int, l: int) -> np.ndarray:
    """(K,) overlaps of normalised Gaussians with the normalised Slater function n, l, zeta = 1.

    Trapezoidal rule in log r for int R_n(r) r^l exp(-a r^2) r^2 dr; the integrand decays at both
    ends, so the rule converges exponentially.
    """
    radial = np.exp(-np.outer(exponents, RADII**2) - RADII) * RADII ** (n + 1 + l)
    slater_norm = 2.0**n * np.sqrt(2.0 / factorial(2 * n))
    angular = np.sqrt(4.0 * np.pi / (2 * l + 1))
    return slater_norm * angular * primitive_norm(exponents, l) * (radial @ RADII) * STEP


def gaussian_overlaps(exponents: np.ndarray, l: int) -> np.ndarray:
    """(K, K) overlaps of normalised Gaussians on one centre."""
    p = exponents[:, None] + exponents[None, :]
    norm = primitive_norm(exponents, l)
    solid_angle = 4.0 * np.pi / (2 * l + 1)
    return solid_angle * 0.5 * gamma(l + 1.5) * norm[:, None] * norm[None, :] / p ** (l + 1.5)


def best_expansion(exponents: np.ndarray, n: int, l: int) -> tuple[np.ndarray, float]:
    """Coefficients (of normalised Gaussians, norm 1) with the largest overlap, and that overlap."""
    target = slater_overlaps(exponents, n, l)
    direction = scipy.linalg.solve(gaussian_overlaps(exponents, l), target, assume_a="pos")
    overlap = np.sqrt(target @ direction)
    return direction / overlap, float(overlap)


def deviation(log_exponents: np.ndarray, n: int) -> float:
    """Sum over the shells l of row n of the squared deviation 2 - 2 <slater|gaussians>."""
    exponents = np.exp(log_exponents)
    shells = range(min(n, 2))
    return sum(2.0 - 2.0 * best_expansion(exponents, n, l)[1] for l in shells)


def fit(n: int, n_primitive: int = N_PRIMITIVE) -> np.ndarray:
    """(K,) optimal shared exponents of row n, largest first."""
    start = np.linspace(np.log(15.0 / n**2), np.log(0.1 / n), n_primitive)
    objective = partial(deviation, n=n)
    for _ in range(5):
        # The deviation is 1e-7 or so: rescaled, or the simplex stops at once.
        result = scipy.optimize.minimize(
            lambda x: np.log(objective(x)),
            start,
            method="Nelder-Mead",
            options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 20000, "maxfev": 20000},
        )
        start = result.x
    return np.sort(np.exp(start))[::-1]


def main() -> None:
    """Print exponents, coefficients and overlaps of rows 1 to 5."""
    for n in (1, 2, 3, 4, 5):
        exponents = fit(n)
        print(f"n = {n} exponents    " + ", ".join(f"{x:.9e}" for x in exponents))
        for l in range(min(n, 2)):
            coefficients, overlap = best_expansion(exponents, n, l)
            text = ", ".join(f"{x:.9e}" for x in coefficients)
            print(f"{n}{'sp'[l]} coefficients       {text}   1 - overlap = {1 - overlap:.2e}")


if __name__ == "__main__":
    main()
