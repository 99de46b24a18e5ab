"""B3LYP/def2-TZVP minima, frequencies and deformed frames of ten small molecules (PySCF), as JSON.

    python validation/minima.py

All ten are in the test split of every dataset: no fit has seen them. Density fitting, grid level 3,
energies converged to 1e-10 hartree, BFGS to 0.003 eV / angstrom, analytic Hessian. Four frames per
molecule are drawn from the classical harmonic distribution at 300, 300, 600 and 1000 K and come
with energy and forces. Finished molecules are kept: the same command continues a stopped run.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import json

import numpy as np
import pyscf
import report
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.optimize import BFGS
from pyscf import dft, gto, lib
from pyscf.hessian import thermo
from rich.progress import track

from mlsemi.training.data.geometries import embed, relax, seed_of
from mlsemi.units import BOHR_ANGSTROM, BOLTZMANN, FORCE_EV_ANGSTROM, HARTREE_EV

MOLECULES = {
    "methane": "C",
    "diazirine": "C1N=N1",
    "N-methylmethanimine": "C=NC",
    "cyanamide": "N#CN",
    "formamide": "NC=O",
    "formic acid": "O=CO",
    "cyanogen": "N#CC#N",
    "acrolein": "C=CC=O",
    "glycolonitrile": "N#CCO",
    "cyclobutene": "C1=CCC1",
}
METHOD, BASIS, GRID, CONVERGENCE, FMAX = "b3lyp", "def2-tzvp", 3, 1e-10, 3e-3
KELVIN = (300.0, 300.0, 600.0, 1000.0)
SOFTEST = 300.0
PATH = report.HERE / "minima.json"


def mean_field(atoms: Atoms) -> dft.rks.RKS:
    """Converged density-fitted calculation."""
    lib.num_threads(1)
    positions = list(zip(atoms.symbols, atoms.positions.tolist(), strict=True))
    solver = dft.RKS(gto.M(atom=positions, basis=BASIS, verbose=0), xc=METHOD).density_fit()
    solver.grids.level, solver.conv_tol = GRID, CONVERGENCE
    solver.kernel()
    if not solver.converged:
        raise SystemExit(f"{atoms.symbols}: SCF not converged")
    return solver


class PySCF(Calculator):
    """Energies and forces for ASE's optimiser."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Both at once."""
        super().calculate(atoms, properties, system_changes)
        solver = mean_field(self.atoms)
        forces = -solver.nuc_grad_method().kernel() * FORCE_EV_ANGSTROM
        self.results = {"energy": solver.e_tot * HARTREE_EV, "forces": forces}


def frames(atoms: Atoms, found: dict[str, np.ndarray]) -> list[dict[str, object]]:
    """Deformed geometries with energies and forces.

    Normal coordinates Q_k (amu^1/2 bohr) are normal deviates of variance kT / w_k^2; modes softer
    than 300 cm^-1 count as that hard, because straight lines are no torsions.
    """
    rng = np.random.default_rng(len(atoms))
    hardness = np.maximum(found["freq_wavenumber"].real, SOFTEST) / found["freq_wavenumber"].real
    frequency = hardness * found["freq_au"].real
    out = []
    for kelvin in KELVIN:
        normal = np.sqrt(kelvin * BOLTZMANN) / frequency * rng.normal(size=frequency.size)
        moved = atoms.copy()
        moved.positions += BOHR_ANGSTROM * np.einsum("k,kax->ax", normal, found["norm_mode"])
        moved.calc = PySCF()
        forces = moved.get_forces()
        out.append(
            {
                "kelvin": kelvin,
                "positions_angstrom": moved.positions.round(6).tolist(),
                "energy_hartree": moved.get_potential_energy() / HARTREE_EV,
                "forces_ev_per_angstrom": forces.round(6).tolist(),
            }
        )
    return out


def minimum(smiles: str) -> dict[str, object]:
    """Geometry, energy, frequencies and deformed frames of one molecule."""
    atoms, charge = embed(smiles, seed_of(smiles, 0))
    atoms = relax(atoms, charge, fmax=0.02)
    atoms.calc = PySCF()
    if not BFGS(atoms, logfile=None).run(fmax=FMAX, steps=60):
        raise SystemExit(f"{smiles}: geometry not converged")
    solver = mean_field(atoms)
    found = thermo.harmonic_analysis(solver.mol, solver.Hessian().kernel())
    if found["freq_error"]:
        raise SystemExit(f"{smiles}: not a minimum")
    return {
        "smiles": smiles,
        "symbols": list(atoms.symbols),
        "positions_angstrom": atoms.positions.round(6).tolist(),
        "energy_hartree": float(solver.e_tot),
        "frequencies_cm": found["freq_wavenumber"].real.round(2).tolist(),
        "frames": frames(atoms, found),
    }


def main() -> None:
    """Compute what is missing from minima.json."""
    done = json.loads(PATH.read_text()) if PATH.exists() else {"molecules": {}}
    done["level"] = {
        "method": METHOD, "basis": BASIS, "grid": GRID, "density_fitting": True,
        "convergence": CONVERGENCE, "fmax_ev_per_angstrom": FMAX,
        "program": f"PySCF {pyscf.__version__}", "made_by": "python validation/minima.py",
    }  # fmt: skip
    for name, smiles in track(MOLECULES.items(), "minima", transient=True):
        if name not in done["molecules"]:
            done["molecules"][name] = minimum(smiles)
            PATH.write_text(json.dumps(done, indent=1) + "\n")


if __name__ == "__main__":
    main()
