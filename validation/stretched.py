"""B3LYP/def2-TZVP energies along stretched bonds (PySCF), restricted and unrestricted, as JSON.

    python validation/stretched.py

One bond of each molecule is stretched, 0.8 to 2.5 times its length in `ase.build.molecule`, both
fragments rigid. The unrestricted calculation starts from mixed frontier orbitals of the restricted
one, so that it can break the symmetry of the spins. Density fitting, grid level 3. Finished
molecules are kept: the same command continues a run that was stopped.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import json

import numpy as np
import pyscf
import report
from ase import Atoms
from ase.build import molecule
from ase.data import covalent_radii
from pyscf import dft, gto, lib
from rich.progress import track

BONDS = {"H2O": (0, 1), "CH4": (0, 1), "CH3OH": (0, 1), "H3CNH2": (0, 1), "C2H6": (0, 1)}
FACTORS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.7, 1.9, 2.1, 2.3, 2.5)
METHOD, BASIS, GRID, CONVERGENCE = "b3lyp", "def2-tzvp", 3, 1e-8
MIXING = np.pi / 4.0
PATH = report.HERE / "stretched.json"


def fragment(atoms: Atoms, first: int, second: int) -> list[int]:
    """Atoms on the side of ``second`` when its bond to ``first`` is cut."""
    radii = covalent_radii[atoms.numbers]
    near = atoms.get_all_distances() < 1.3 * (radii[:, None] + radii[None, :])
    found, open_ends = {second}, [second]
    while open_ends:
        for other in np.flatnonzero(near[open_ends.pop()]).tolist():
            if other not in found and other != first:
                found.add(other)
                open_ends.append(other)
    return sorted(found)


def stretch(name: str, factor: float) -> Atoms:
    """The molecule with its bond ``factor`` times as long."""
    atoms = molecule(name)
    first, second = BONDS[name]
    bond = atoms.positions[second] - atoms.positions[first]
    atoms.positions[fragment(atoms, first, second)] += (factor - 1.0) * bond
    return atoms


def energies(atoms: Atoms) -> tuple[float, float]:
    """Restricted and (lowest) unrestricted energy, hartree."""
    lib.num_threads(1)
    positions = list(zip(atoms.symbols, atoms.positions.tolist(), strict=True))
    system = gto.M(atom=positions, basis=BASIS, verbose=0)
    closed = dft.RKS(system, xc=METHOD).density_fit()
    closed.grids.level, closed.conv_tol, closed.max_cycle = GRID, CONVERGENCE, 200
    closed.kernel()
    n = system.nelectron // 2
    up, down = closed.mo_coeff.copy(), closed.mo_coeff.copy()
    turn = np.array([[np.cos(MIXING), -np.sin(MIXING)], [np.sin(MIXING), np.cos(MIXING)]])
    up[:, n - 1 : n + 1] = up[:, n - 1 : n + 1] @ turn
    down[:, n - 1 : n + 1] = down[:, n - 1 : n + 1] @ turn.T
    start = np.array([c[:, :n] @ c[:, :n].T for c in (up, down)])
    opened = dft.UKS(system, xc=METHOD).density_fit()
    opened.grids.level, opened.conv_tol, opened.max_cycle = GRID, CONVERGENCE, 200
    opened.kernel(dm0=start)
    if not (closed.converged and opened.converged):
        raise SystemExit(f"{atoms.symbols}: SCF not converged")
    return float(closed.e_tot), float(min(opened.e_tot, closed.e_tot))


def main() -> None:
    """Compute what is missing from stretched.json."""
    done = json.loads(PATH.read_text()) if PATH.exists() else {"molecules": {}}
    done["level"] = {
        "method": METHOD, "basis": BASIS, "grid": GRID, "density_fitting": True,
        "convergence": CONVERGENCE, "program": f"PySCF {pyscf.__version__}",
        "made_by": "python validation/stretched.py",
    }  # fmt: skip
    for name in track(BONDS, "stretched bonds", transient=True):
        if name not in done["molecules"]:
            both = [energies(stretch(name, factor)) for factor in FACTORS]
            done["molecules"][name] = {
                "bond": BONDS[name],
                "factors": FACTORS,
                "restricted_hartree": [pair[0] for pair in both],
                "unrestricted_hartree": [pair[1] for pair in both],
            }
            PATH.write_text(json.dumps(done, indent=1) + "\n")


if __name__ == "__main__":
    main()
