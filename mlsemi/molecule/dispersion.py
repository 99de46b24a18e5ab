"""London dispersion: the D4(BJ) correction of the functional a parameter set was trained on.

The reference energies are those of a plain functional, B3LYP for instance, which has no dispersion.
What a calculation returns is E = E_model + E_D4 (theory section 10), with D4's published damping
parameters of that functional, three-body terms included: Caldeweyher, Ehlert, Hansen, Neugebauer,
Spicher, Bannwarth, Grimme, J. Chem. Phys. 150, 154122 (2019). The library is ``dftd4``.

Its charges are equilibrated over the whole system, so that molecules that do not touch exchange
0.1 to 0.2 e and some meV at any distance: :func:`mlsemi.model.domain.doubts` says so.
"""

from __future__ import annotations

import atexit
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlsemi.errors import ConvergenceError, MlsemiError, ParameterError
from mlsemi.molecule.structure import Structure

if TYPE_CHECKING:
    from dftd4.interface import DampingParam

CUTOFFS = {"disp2": 60.0, "disp3": 30.0, "cn": 30.0, "width2": 5.0, "width3": 5.0}
"""Ranges (bohr) of pairs, triples and coordination numbers, and the widths in which they fade out.

The library's own, but triples end at 30 instead of 40 bohr: beta-carotene changes by 6e-6 hartree.
"""

CHARGE_STEP = 1e-6
"""D4 scales by 1 / (Z + q) of each atom: where that is 0 (H2 of charge -2), its limit is taken."""


class Dispersion(NamedTuple):
    """Energy (hartree) and its gradient (n_atom, 3; hartree / bohr), None if not asked for."""

    energy: float
    gradient: np.ndarray | None


NO_DISPERSION = Dispersion(0.0, np.zeros(3))


def dispersion_of(
    structure: Structure, functional: str | None, with_gradient: bool = False
) -> Dispersion:
    """D4(BJ) dispersion of a molecule.

    Parameters
    ----------
    structure : Structure
    functional : str or None
        Name of the density functional; hyphens and case do not matter. None: no dispersion.
    with_gradient : bool

    Raises
    ------
    MlsemiError
        If the library is not installed.
    ParameterError
        If D4 has no parameters for the functional.
    ConvergenceError
        If the library gives no number.
    """
    if functional is None:
        return NO_DISPERSION
    damping = _damping(functional)
    from dftd4.interface import DispersionModel

    for charge in (float(structure.charge), structure.charge + CHARGE_STEP):
        model = DispersionModel(structure.numbers, np.array(structure.positions), charge)
        model.set_realspace_cutoff(**CUTOFFS)
        result = model.get_dispersion(damping, grad=with_gradient)
        if np.isfinite(result.get("gradient", result["energy"])).all():
            return Dispersion(float(result["energy"]), result.get("gradient"))
    raise ConvergenceError("the dispersion energy is not a number: compute without dispersion")


@cache
def _damping(functional: str) -> DampingParam:
    """Damping parameters of a functional."""
    try:
        from dftd4.interface import DampingParam
    except ImportError:
        raise MlsemiError(
            "dispersion needs the package dftd4 (pip or conda install dftd4); "
            "without it: dispersion=False, on the command line --no-dispersion"
        ) from None
    try:
        return DampingParam(method=functional.lower())
    except RuntimeError:
        raise ParameterError(
            f"D4 has no parameters for the functional {functional!r}: compute without dispersion"
        ) from None


atexit.register(_damping.cache_clear)  # later the library has lost what frees its parameters
