"""GFN2-xTB of one structure by tblite, for every script that compares with it."""

from __future__ import annotations

from tblite.interface import Calculator, Result

from mlsemi.molecule.structure import Structure


def gfn2(structure: Structure) -> Result:
    """Energy, gradient, orbitals and charges from scratch, atomic units."""
    calculator = Calculator(
        "GFN2-xTB", structure.numbers, structure.positions, float(structure.charge)
    )
    calculator.set("verbosity", 0)
    return calculator.singlepoint()
