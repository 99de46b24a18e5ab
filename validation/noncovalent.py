"""Interaction energies of the S22x5 dimers, beside CCSD(T) and GFN2-xTB.

22 dimers at 0.9, 1, 1.2, 1.5 and 2 times their equilibrium distance: geometries and CCSD(T)/CBS
energies of `ase.data.s22` (L. Grafova, M. Pitonak, J. Rezac, P. Hobza, J. Chem. Theory Comput. 6,
2365 (2010)). Of them ammonia's alone is among the complexes whose interaction energies contacts-1
learned.

    python validation/noncovalent.py [PARAMETERS] [--against OTHER]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import matplotlib
import numpy as np
import report
from apart import dimer_and_molecules
from ase import Atoms, units
from ase.data.s22 import (
    get_interaction_energy_s22x5,
    s22,
)
from gfn2 import gfn2

from mlsemi import singlepoint
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.sets.releases import DEFAULT
from mlsemi.units import HARTREE_EV

matplotlib.use("Agg")
import matplotlib.pyplot as plt

KCAL_MOL = HARTREE_EV * units.mol / units.kcal
DISTANCES = ("0.9", "1.0", "1.2", "1.5", "2.0")
KINDS = {"hydrogen bonds": slice(0, 7), "dispersion": slice(7, 15), "mixed": slice(15, 22)}
NOTICED = 0.3
"""A wrong sign counts beyond this energy, kcal/mol."""

Energy = Callable[[Atoms], float]


def by_model(parameters: Parameters) -> Energy:
    """Total energy with dispersion, hartree."""

    def energy(atoms: Atoms) -> float:
        found = singlepoint(atoms, parameters=parameters).energy
        assert found is not None
        return found

    return energy


def by_gfn2(atoms: Atoms) -> float:
    """Total energy of GFN2-xTB, hartree."""
    return float(gfn2(Structure.from_ase(atoms)).get("energy"))


def published() -> np.ndarray:
    """(22, 5) CCSD(T) interaction energies, kcal/mol."""
    return np.array(
        [
            [get_interaction_energy_s22x5(f"{n}_{d}") * units.mol / units.kcal for d in DISTANCES]
            for n in s22
        ]
    )


def interactions(energy: Energy) -> np.ndarray:
    """(22, 5) interaction energies, kcal/mol."""
    out = np.empty((len(s22), len(DISTANCES)))
    for row, name in enumerate(s22):
        for column, distance in enumerate(DISTANCES):
            both, one, other = map(energy, dimer_and_molecules(f"{name}_{distance}"))
            out[row, column] = both - one - other
    return KCAL_MOL * out


def summary(found: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """Mean absolute errors in kcal/mol, the largest one, and the number of wrong signs."""
    errors = np.abs(found - expected)
    noticed = (np.abs(expected) > NOTICED) & (np.abs(found) > NOTICED)
    return {
        "all": float(errors.mean()),
        **{f"at {d}": float(errors[:, k].mean()) for k, d in enumerate(DISTANCES)},
        **{kind: float(errors[rows].mean()) for kind, rows in KINDS.items()},
        "largest": float(errors.max()),
        "wrong signs": float((noticed & (found * expected < 0.0)).sum()),
    }


def main() -> None:
    """Table, figure, JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parameters", nargs="?", default=DEFAULT)
    parser.add_argument("--against", help="another parameter set beside it")
    options = parser.parse_args()
    sets = [Parameters.load(name) for name in (options.parameters, options.against) if name]
    methods = {one.name: by_model(one) for one in sets} | {"GFN2-xTB": by_gfn2}
    expected = published()
    found = {name: interactions(energy) for name, energy in methods.items()}
    rows = {name: summary(values, expected) for name, values in found.items()}
    first = next(iter(rows.values()))
    figure, axes = plt.subplots(1, len(found), sharey=True, figsize=(3.2 * len(found), 3.2))
    for axis, (name, values) in zip(np.atleast_1d(axes), found.items(), strict=True):
        for kind, span in KINDS.items():
            axis.plot(expected[span].ravel(), values[span].ravel(), ".", label=kind)
        ends = [expected.min() - 1.0, expected.max() + 1.0]
        axis.plot(ends, ends, color="grey", linewidth=0.8, zorder=0)
        axis.set(title=name, xlabel="CCSD(T) / kcal/mol", xlim=ends, ylim=(ends[0] - 2.0, 12.0))
    np.atleast_1d(axes)[0].set_ylabel("interaction energy / kcal/mol")
    np.atleast_1d(axes)[0].legend(frameon=False)
    figure.tight_layout()
    figure.savefig(report.HERE / "noncovalent.png", dpi=120)
    report.write(
        "noncovalent",
        "Interaction energies of molecules in contact",
        [
            "Mean absolute errors of the 110 energies of S22x5 against CCSD(T), kcal/mol; a wrong "
            f"sign counts where both energies are beyond {NOTICED} kcal/mol.",
            report.table(
                ["", *rows],
                [[key, *(f"{row[key]:.2f}" for row in rows.values())] for key in first],
            ),
            "![energies](noncovalent.png)",
        ],
        {
            "checksums": {one.name: one.checksum for one in sets},
            "errors": rows,
            "energies": {name: values.tolist() for name, values in found.items()},
        },
    )


if __name__ == "__main__":
    main()
