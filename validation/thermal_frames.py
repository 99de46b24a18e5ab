"""Thermal frames of one molecule with their large-basis calculations, kept in a cache file.

Frames come from GFN2-xTB Langevin dynamics: velocities are drawn anew for every frame, which then
runs for ``STEPS`` femtoseconds from where the one before it ended. The Kohn-Sham calculation of
each frame is PySCF's, with density fitting, by the project's own reference script. The cache holds
what a regression may want to learn: Fock and overlap matrix in the large basis, orbital energies,
the amplitudes on the valence frame, dipole, and polarizability on request. It is written frame by
frame, so that a run can be stopped and gone on with; it is not part of the repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from pyscf import gto
from pyscf.scf import cphf
from rich.progress import track

from mlsemi.molecule.elements import valence
from mlsemi.molecule.structure import Structure
from mlsemi.representations.learning.conventions import from_pyscf, pyscf_layout
from mlsemi.representations.learning.operators import OperatorLayout
from mlsemi.training.data.geometries import embed, relax, seed_of, thermal_frame
from mlsemi.training.data.projection import iao_frame, projected_hamiltonian
from mlsemi.training.reference.calculation import Level, mean_field, valence_minimal

CACHE = Path(__file__).parent.parent / "runs" / "frames"
STEPS = 100
"""Femtoseconds of dynamics between frames."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Calculations of many frames of one molecule, in atomic units.

    Attributes
    ----------
    structures : tuple of Structure
    layout : OperatorLayout
        Shells of the large basis.
    fock, overlap : (n_frame, n_basis, n_basis) arrays
        In the large basis, orbitals ordered by atom, shell and m = -l..l.
    energies : (n_frame, n_basis) array
    amplitudes : (n_frame, n_min, n_basis) array
    dipole : (n_frame, 3) array
    polarizability : (n_frame, 3, 3) array or None
    """

    structures: tuple[Structure, ...]
    layout: OperatorLayout
    fock: np.ndarray
    overlap: np.ndarray
    energies: np.ndarray
    amplitudes: np.ndarray
    dipole: np.ndarray
    polarizability: np.ndarray | None

    def projected(self) -> np.ndarray:
        """(n_frame, n_min, n_min) projected valence Hamiltonians."""
        rows = zip(self.structures, self.amplitudes, self.energies, strict=True)
        return np.array([projected(structure, t, e) for structure, t, e in rows])


def core_orbitals(structure: Structure) -> int:
    """Doubly occupied orbitals below the valence shell."""
    return sum(valence(z).core_orbitals for z in structure.numbers.tolist())


def projected(structure: Structure, amplitudes: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Projected valence Hamiltonian of one structure (theory of the main model)."""
    core = core_orbitals(structure)
    return projected_hamiltonian(amplitudes[:, core:], energies[core:], structure.n_electron // 2)


def polarizability_of(solver: object) -> np.ndarray:
    """(3, 3) static polarizability by the coupled-perturbed equations, bohr^3."""
    orbitals, energies, occupation = solver.mo_coeff, solver.mo_energy, solver.mo_occ
    occupied, virtual = orbitals[:, occupation > 0], orbitals[:, occupation == 0]
    r = solver.mol.intor_symmetric("int1e_r", comp=3)
    perturbation = np.einsum("pa,xpq,qi->xai", virtual, r, occupied)
    response = solver.gen_response(hermi=1)

    def coupling(amplitudes: np.ndarray) -> np.ndarray:
        x = amplitudes.reshape(-1, virtual.shape[1], occupied.shape[1])
        half = np.einsum("pa,xai,qi->xpq", 2.0 * virtual, x, occupied, optimize=True)
        potential = response(half + half.transpose(0, 2, 1))
        return np.einsum("pa,xpq,qi->xai", virtual, potential, occupied, optimize=True)

    amplitudes = cphf.solve(coupling, energies, occupation, perturbation, tol=1e-8)[0]
    return -4.0 * np.einsum("xai,yai->xy", perturbation, amplitudes.reshape(perturbation.shape))


def reduced(solver: object, structure: Structure) -> dict[str, np.ndarray]:
    """Fields of :class:`Frames` from a converged calculation."""
    molecule = solver.mol
    minimal, pick = valence_minimal(molecule)
    core = core_orbitals(structure)
    overlap = solver.get_ovlp()
    frame = iao_frame(
        overlap,
        minimal.intor_symmetric("int1e_ovlp")[np.ix_(pick, pick)],
        gto.intor_cross("int1e_ovlp", molecule, minimal)[:, pick],
        solver.mo_coeff[:, core : core + structure.n_electron // 2],
    )
    where = pyscf_layout([molecule]), structure.numbers
    return {
        "positions": structure.positions,
        "fock": from_pyscf(*where, solver.get_fock()),
        "overlap": from_pyscf(*where, overlap),
        "energies": solver.mo_energy,
        "amplitudes": frame.T @ overlap @ solver.mo_coeff,
        "dipole": solver.dip_moment(unit="AU", verbose=0),
    }


def calculate(
    structure: Structure, level: Level, polarizability: bool = False
) -> dict[str, np.ndarray]:
    """One frame by Kohn-Sham."""
    solver, _ = mean_field(structure, level)
    out = reduced(solver, structure)
    if polarizability:
        out["polarizability"] = polarizability_of(solver)
    return out


def _append(file: h5py.File, row: dict[str, np.ndarray]) -> None:
    for name, value in row.items():
        if name not in file:
            file.create_dataset(
                name, (0, *value.shape), maxshape=(None, *value.shape), dtype="f8", chunks=True
            )
        data = file[name]
        data.resize(data.shape[0] + 1, axis=0)
        data[-1] = value


def _missing(file: h5py.File, smiles: str, temperature: float, n_frame: int) -> Iterator[Structure]:
    """Frames that the file does not hold yet, each run from the one before."""
    atoms, charge = embed(smiles, seed_of(smiles, 0))
    if "positions" in file and file["positions"].shape[0]:
        last = Structure(atoms.numbers, file["positions"][-1], charge).to_ase()
        done = file["positions"].shape[0]
    else:
        last, done = relax(atoms, charge), 0
    for index in range(done, n_frame):
        last = thermal_frame(last, charge, temperature, seed_of(smiles, index), STEPS)
        yield Structure.from_ase(last, charge)


def frames_of(
    smiles: str,
    n_frame: int,
    level: Level,
    temperature: float,
    polarizability: bool = False,
    name: str | None = None,
) -> Frames:
    """Read the cache, after computing what it lacks.

    Parameters
    ----------
    smiles : str
    n_frame : int
        Frames wanted; a cache with more is read up to here.
    level : Level
        Functional, basis and grid.
    temperature : float
        Kelvin.
    polarizability : bool
        Compute the static polarizability as well.
    name : str, optional
        Name of the cache file; made of the arguments by default.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"{name or f'{smiles}-{level.method}-{level.basis}-{temperature:.0f}K'}.h5"
    molecule = None
    with h5py.File(path, "a") as file:
        # a frame cut short by an interruption is dropped
        if file.keys():
            whole = min(data.shape[0] for data in file.values())
            for data in file.values():
                data.resize(whole, axis=0)
        have = file["positions"].shape[0] if "positions" in file else 0
        todo = _missing(file, smiles, temperature, n_frame)
        for structure in track(todo, "frames", total=max(n_frame - have, 0), transient=True):
            _append(file, calculate(structure, level, polarizability))
            file.flush()
        data = {key: value[:n_frame] for key, value in file.items()}
    atoms, charge = embed(smiles, seed_of(smiles, 0))
    structures = tuple(Structure(atoms.numbers, x, charge) for x in data["positions"])
    molecule = gto.M(
        atom=list(zip(structures[0].symbols, structures[0].positions.tolist(), strict=True)),
        unit="Bohr",
        basis=level.basis,
        charge=charge,
        verbose=0,
    )
    return Frames(
        structures,
        pyscf_layout([molecule]),
        *(data[key] for key in ("fock", "overlap", "energies", "amplitudes", "dipole")),
        data.get("polarizability"),
    )
