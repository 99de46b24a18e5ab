"""What is periodic: exactness, polymers, graphene, couplings, speed.

    python validation/cells.py

The reference of the couplings is half of the splitting of stacked ethene by B3LYP/def2-SVP (PySCF,
density fitting); ``--reference`` makes it anew (minutes). Periodic B3LYP of the polymers has not
been done: a first try had no converged chain after a quarter of an hour of one busy core.
"""

from __future__ import annotations

import math
import sys
import time
import warnings

import numpy as np
import report
from ase import Atoms
from ase.build import graphene, molecule
from ase.spacegroup import crystal
from scipy.optimize import minimize_scalar

import mlsemi
from mlsemi.errors import DomainWarning
from mlsemi.units import HARTREE_EV

STACKED = {3.4: 482.1, 3.8: 277.3, 4.5: 100.5, 5.5: 17.2}
"""Half of the splitting of the HOMO of stacked ethene (meV) at a distance (angstrom)."""


def polyacetylene(short: float, long: float, angle: float = 124.0) -> Atoms:
    """Trans chain along z with alternating bonds."""
    a = math.radians(angle)
    c = math.sqrt(short**2 + long**2 - 2.0 * short * long * math.cos(a))
    tilt = math.acos((short**2 + c**2 - long**2) / (2.0 * short * c))
    along = np.array([0.0, 0.0, c])
    first = np.zeros(3)
    second = short * np.array([math.sin(tilt), 0.0, math.cos(tilt)])

    def hydrogen(at: np.ndarray, *others: np.ndarray) -> np.ndarray:
        away = -sum((other - at) / np.linalg.norm(other - at) for other in others)
        return at + 1.09 * away / np.linalg.norm(away)

    places = [first, second, hydrogen(first, second, second - along)]
    places.append(hydrogen(second, first, first + along))
    return Atoms("C2H2", places, cell=[0, 0, c], pbc=(False, False, True))


def polyethylene() -> Atoms:
    """Zigzag chain along z."""
    places = [[0, 0.42, 0.6375], [0, -0.42, 1.9125]]
    places += [[x, 1.06, 0.6375] for x in (0.89, -0.89)]
    places += [[x, -1.06, 1.9125] for x in (0.89, -0.89)]
    return Atoms("C2H4", places, cell=[0, 0, 2.55], pbc=(False, False, True))


def dry_ice() -> Atoms:
    """Carbon dioxide, Pa-3 (De Smedt and Keesom 1924; a and u of Simon and Peters 1980)."""
    places = [(0, 0, 0), (0.1185, 0.1185, 0.1185)]
    return crystal("CO", places, spacegroup=205, cellpar=[5.624] * 3 + [90] * 3)


def chains() -> dict[str, Atoms]:
    """Chains whose bands are compared."""
    bonds = ((1.40, 1.40), (1.38, 1.42), (1.36, 1.44), (1.34, 1.46))
    named = {f"polyacetylene {a:.2f}/{b:.2f}": polyacetylene(a, b) for a, b in bonds}
    return named | {"polyethylene": polyethylene()}


def polymers() -> list[list[str]]:
    """Gap and valence width of every chain, eV."""
    rows = []
    for name, atoms in chains().items():
        filling = mlsemi.bands(atoms, kpts=(1, 1, 60)).filling
        width = (filling.homo - filling.energies.min()) * HARTREE_EV
        rows.append([name, f"{filling.gap * HARTREE_EV:.2f}", f"{width:.2f}"])
    return rows


def lattice_constant() -> float:
    """Of graphene, angstrom."""

    def energy(a: float) -> float:
        sheet = graphene(a=a)
        sheet.pbc = (True, True, False)
        return float(mlsemi.singlepoint(sheet, kpts="1x1x1").energy)

    found = minimize_scalar(energy, bracket=(2.40, 2.47), tol=1e-5)
    return float(found.x)


def stacked() -> list[list[str]]:
    """Coupling of stacked ethene beside the reference's half splitting."""
    rows = []
    for distance, known in STACKED.items():
        pair = molecule("C2H4") + molecule("C2H4")
        pair.positions[6:, 0] += distance
        found = abs(mlsemi.couplings(pair).homo[0]) * 1e3
        rows.append([f"{distance:.1f}", f"{found:.0f}", f"{known:.0f}"])
    return rows


def exactness() -> list[list[str]]:
    """Mesh against supercell, derivatives against differences, for dry ice."""
    cell = dry_ice()
    one = mlsemi.singlepoint(cell, kpts="2x2x2")
    many = mlsemi.singlepoint(cell.repeat(2), kpts="1x1x1")
    times = np.round(one.state.kpoints.weights * 8).astype(int)
    levels = np.sort(np.repeat(one.state.filling.energies, times, axis=0), axis=None)
    apart = np.abs(levels - np.sort(many.state.filling.energies[0])).max() * HARTREE_EV
    energy = abs(many.energy / 8 - one.energy) * HARTREE_EV / len(cell)
    cell.rattle(0.02, seed=1)
    cell.calc = mlsemi.MLSemi()
    forces, stress = cell.get_forces(), cell.get_stress()
    h, worst = 1e-3, 0.0

    def shifted(axis: int, t: float) -> float:
        moved = cell.copy()
        moved.positions[4, axis] += t
        moved.calc = cell.calc
        return float(moved.get_potential_energy())

    for axis in range(3):
        slope = 8.0 * (shifted(axis, h) - shifted(axis, -h))
        slope = (slope - shifted(axis, 2 * h) + shifted(axis, -2 * h)) / (12.0 * h)
        worst = max(worst, abs(slope + forces[4, axis]))

    def strained(t: float) -> float:
        moved = cell.copy()
        moved.set_cell(cell.cell * np.array([1.0 + t, 1.0, 1.0]), scale_atoms=True)
        moved.calc = cell.calc
        return float(moved.get_potential_energy())

    slope = 8.0 * (strained(h) - strained(-h)) - strained(2 * h) + strained(-2 * h)
    strain = abs(slope / (12.0 * h) - stress[0] * cell.get_volume())
    return [
        ["levels of 2x2x2 points and of the 2x2x2 supercell, eV", f"{apart:.1e}"],
        ["energies of both, eV / atom", f"{energy:.1e}"],
        ["forces against differences, eV / angstrom", f"{worst:.1e}"],
        ["volume times stress against differences, eV", f"{strain:.1e}"],
    ]


def processor_time(function) -> float:
    """Least processor time of three calls, s."""
    found = []
    for _ in range(3):
        start = time.process_time()
        function()
        found.append(time.process_time() - start)
    return min(found)


def speed() -> list[list[str]]:
    """72 atoms in a cell: bands at 40 points, and one SCF of GFN2-xTB at Gamma."""
    cell = dry_ice().repeat((3, 2, 1))
    rows = [
        [
            "mlsemi, 40 points of a path, mesh 1x1x1",
            processor_time(lambda: mlsemi.bands(cell, npoints=40, kpts="1x1x1")),
        ]
    ]
    cell.calc = mlsemi.MLSemi()

    def forces() -> None:
        cell.rattle(1e-6)
        cell.get_stress()

    rows.append(["mlsemi, energy, forces, stress", processor_time(forces)])
    try:
        from tblite.ase import TBLite
    except ImportError:
        return [[name, f"{seconds:.2f}"] for name, seconds in rows]

    def scf() -> None:
        atoms = cell.copy()
        atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
        atoms.get_potential_energy()

    rows.append(["tblite, GFN2-xTB, one SCF at Gamma", processor_time(scf)])
    return [[name, f"{seconds:.2f}"] for name, seconds in rows]


def references() -> None:
    """Print the reference of the couplings."""
    from pyscf import dft, gto

    for distance in (3.4, 3.8, 4.5, 5.5):
        pair = molecule("C2H4") + molecule("C2H4")
        pair.positions[6:, 0] += distance
        atoms = list(zip(pair.get_chemical_symbols(), pair.positions, strict=True))
        mol = gto.M(atom=atoms, basis="def2-svp", verbose=0)
        mf = dft.RKS(mol, xc="b3lyp").density_fit().run()
        homo = mol.nelectron // 2 - 1
        print(distance, 0.5e3 * (mf.mo_energy[homo] - mf.mo_energy[homo - 1]) * HARTREE_EV)


def main() -> None:
    """Write ``cells.md``."""
    warnings.simplefilter("ignore", DomainWarning)
    found = {
        "exact": exactness(),
        "polymers": polymers(),
        "graphene_angstrom": lattice_constant(),
        "stacked": stacked(),
        "speed": speed(),
    }
    sections = [
        "Nothing periodic was in the training of organic-1, and 25 dimers are all it has seen of "
        "contacts between molecules.",
        "## Exact\n\nDry ice, 12 atoms, D4 included.\n\n"
        + report.table(("what", "error"), found["exact"]),
        "## Polymers\n\neV, 60 k-points; bonds of polyacetylene in angstrom.\n\n"
        + report.table(("chain", "gap", "valence width"), found["polymers"]),
        "## Graphene\n\n"
        f"Lattice constant {found['graphene_angstrom']:.3f} angstrom (measured 2.46).",
        "## Couplings\n\nStacked ethene, HOMO, meV; reference: half of the dimer's splitting.\n\n"
        + report.table(("distance / A", "mlsemi", "B3LYP/def2-SVP"), found["stacked"]),
        "## Speed\n\n72 atoms in a cell (dry ice), one thread, processor time in s.\n\n"
        + report.table(("what", "s"), found["speed"]),
    ]
    report.write("cells", "Periodic cells", sections, found)


if __name__ == "__main__":
    references() if "--reference" in sys.argv[1:] else main()
