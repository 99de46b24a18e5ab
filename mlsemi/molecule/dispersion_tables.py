"""What D4 knows about elements and density functionals, from `dispersion.json`.

Made by `parameters/dispersion_tables.py`, which names the sources.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mlsemi.errors import ParameterError
from mlsemi.molecule.elements import number_of

FILE = Path(__file__).with_name("dispersion.json")

QUADRATURE = np.repeat(
    [0.0249995, 0.0499995, 0.075, 0.1, 0.15, 0.2, 0.35, 0.5, 0.75, 1.0, 1.75, 2.5, 1.25],
    [1, 1, 1, 8, 1, 4, 1, 1, 1, 1, 1, 1, 1],
)
"""Weights of the 23 imaginary frequencies, by the trapezoidal rule."""

RANK = 8
"""Factors kept of the 23: C6 change by less than 1e-6 of themselves."""


@dataclass(frozen=True, eq=False)
class ElementTables:
    """Rows of elements.

    Attributes
    ----------
    row : (119,) integer array
        Row of an atomic number, -1 without.
    radius : (n_element,) array
        Covalent radius times 4/3, bohr.
    electronegativity : (n_element,) array
        Pauling's.
    moment : (n_element,) array
        (1/2 Z^1/2 <r^4> / <r^2>)^1/2, bohr.
    hardness, core : (n_element,) arrays
        Of D4's scaling by charge.
    chi, eta, pull, width : (n_element,) arrays
        Of its charges: electronegativity, hardness, pull of bonds, width of the Gaussian charge.
    reference : (3, n_element, n_reference) array
        Coordination number, charge, number of Gaussians (0: no reference).
    factors : (n_element, n_reference, RANK) array
        Of polarisabilities: C6 = factors . factors'.
    """

    row: np.ndarray
    radius: np.ndarray
    electronegativity: np.ndarray
    moment: np.ndarray
    hardness: np.ndarray
    core: np.ndarray
    chi: np.ndarray
    eta: np.ndarray
    pull: np.ndarray
    width: np.ndarray
    reference: np.ndarray
    factors: np.ndarray


@cache
def _read() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="ascii"))
    return content


@cache
def element_tables() -> ElementTables:
    """All elements there are.

    C6 is (3 / pi) int alpha alpha' d omega by quadrature, so the polarisabilities times the root of
    the weights are factors of it; turned onto their principal axes, the first RANK of 23 suffice.
    """
    elements = _read()["elements"]
    row = np.full(119, -1)
    row[[number_of(name) for name in elements]] = np.arange(len(elements))
    rows = list(elements.values())
    most = max(len(one["references"]) for one in rows)
    reference = np.zeros((3, len(rows), most))
    alpha = np.zeros((len(rows), most, QUADRATURE.size))
    for n, one in enumerate(rows):
        for r, system in enumerate(one["references"]):
            reference[:, n, r] = system["coordination"], system["charge"], system["gaussians"]
            alpha[n, r] = system["polarisability"]
    factors = alpha.reshape(-1, QUADRATURE.size) * np.sqrt(3.0 / np.pi * QUADRATURE)
    axes = np.linalg.eigh(factors.T @ factors)[1][:, ::-1]
    turned = (factors @ axes[:, :RANK]).reshape(len(rows), most, RANK)
    names = (name for name in rows[0] if name != "references")
    columns = {name: np.array([one[name] for one in rows], dtype=float) for name in names}
    return ElementTables(row=row, reference=reference, factors=turned, **columns)


def damping(functional: str) -> np.ndarray:
    """(5,) damping parameters s6, s8, s9, a1, a2; hyphens and case do not matter.

    Raises
    ------
    ParameterError
        If D4 has none for the functional.
    """
    try:
        found = _read()["functionals"][functional.lower().replace("-", "").replace("_", "")]
    except KeyError:
        raise ParameterError(
            f"D4 has no parameters for the functional {functional!r}: compute without dispersion"
        ) from None
    return np.array(found)
