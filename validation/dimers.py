"""Interaction energies of rigid dimers and polarizabilities of hydrogen chains, kept in a cache.

Dimers: Hartree-Fock/def2-SVP with density fitting (PySCF), E(AB) - E(A) - E(B) with the monomers
in the basis of the dimer (counterpoise); the apolar pair has DFT-D4 dispersion added, with the
damping made for Hartree-Fock. Chains (H2)_n: static polarizability at Hartree-Fock/6-31G**.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from dftd4.interface import DampingParam, DispersionModel
from pyscf import gto, lib, scf
from rich.progress import track
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation
from thermal_frames import CACHE, polarizability_of

from mlsemi.training.data.geometries import embed, relax, seed_of
from mlsemi.units import BOHR_ANGSTROM

PAIRS = {"charged": ("[NH4+]", "[O-]C=O"), "polar": ("O", "C=O"), "apolar": ("C", "C")}
DISPERSION = ("apolar",)
NEAREST_ANGSTROM = 2.3
"""No two atoms of different molecules come closer."""
RANGES_ANGSTROM = {"train": (3.6, 6.0), "test": (6.0, 15.0)}


class Dimers(NamedTuple):
    """Rigid dimers of one kind.

    Attributes
    ----------
    numbers : (n_atom,) array
    positions : (n, n_atom, 3) array
        Bohr.
    distance : (n,) array
        Between the centers of the molecules, bohr.
    energy : (n,) array
        Interaction energy, hartree.
    """

    numbers: np.ndarray
    positions: np.ndarray
    distance: np.ndarray
    energy: np.ndarray


class Monomer(NamedTuple):
    """A rigid molecule about the mean of its atoms, bohr."""

    numbers: np.ndarray
    positions: np.ndarray
    charge: int


def monomer(smiles: str) -> Monomer:
    """Relaxed with GFN2-xTB."""
    atoms, charge = embed(smiles, seed_of(smiles, 0))
    atoms = relax(atoms, charge, fmax=0.01)
    x = atoms.positions / BOHR_ANGSTROM
    return Monomer(atoms.numbers, x - x.mean(axis=0), charge)


def placed(a: Monomer, b: Monomer, distance: float, rng: np.random.Generator) -> np.ndarray:
    """Both molecules turned at random, b at ``distance`` in a random direction."""
    direction = rng.normal(size=3)
    direction *= distance / np.linalg.norm(direction)
    turned = [Rotation.random(rng=rng).apply(m.positions) for m in (a, b)]
    return np.concatenate([turned[0], turned[1] + direction])


def hartree_fock(numbers: np.ndarray, x: np.ndarray, charge: int, ghosts: np.ndarray) -> float:
    """Energy with the atoms in ``ghosts`` carrying basis functions only."""
    lib.num_threads(1)
    names = [
        f"ghost-{gto.elements.ELEMENTS[z]}" if g else int(z)
        for z, g in zip(numbers, ghosts, strict=True)
    ]
    atoms = list(zip(names, x.tolist(), strict=True))
    molecule = gto.M(atom=atoms, unit="Bohr", basis="def2-svp", charge=charge, verbose=0)
    solver = scf.RHF(molecule).density_fit()
    solver.conv_tol = 1e-9
    energy = solver.kernel()
    if not solver.converged:
        raise SystemExit("a dimer did not converge")
    return float(energy)


def interaction(a: Monomer, b: Monomer, x: np.ndarray, dispersion: bool) -> float:
    """Counterpoise-corrected interaction energy, hartree."""
    numbers = np.concatenate([a.numbers, b.numbers])
    second = np.arange(numbers.size) >= a.numbers.size
    none = np.zeros(numbers.size, dtype=bool)
    energy = hartree_fock(numbers, x, a.charge + b.charge, none)
    energy -= hartree_fock(numbers, x, a.charge, second)
    energy -= hartree_fock(numbers, x, b.charge, ~second)
    if dispersion:
        damping = DampingParam(method="hf")
        for rows, sign in ((none, 1.0), (second, -1.0), (~second, -1.0)):
            model = DispersionModel(numbers[~rows], x[~rows])
            energy += sign * model.get_dispersion(damping, grad=False)["energy"]
    return energy


def dimers(kind: str, part: str, n: int) -> Dimers:
    """Dimers of one kind at the distances of one part, from the cache or computed."""
    path = CACHE / f"dimers-{kind}-{part}-{n}.npz"
    a, b = (monomer(smiles) for smiles in PAIRS[kind])
    numbers = np.concatenate([a.numbers, b.numbers])
    if path.exists():
        data = np.load(path)
        return Dimers(numbers, data["positions"], data["distance"], data["energy"])
    rng = np.random.default_rng(seed_of(kind + part, 0))
    low, high = (r / BOHR_ANGSTROM for r in RANGES_ANGSTROM[part])
    positions, distance = [], []
    while len(positions) < n:
        r = rng.uniform(low, high)
        x = placed(a, b, r, rng)
        split = a.numbers.size
        if cdist(x[:split], x[split:]).min() * BOHR_ANGSTROM > NEAREST_ANGSTROM:
            positions.append(x)
            distance.append(r)
    energy = [
        interaction(a, b, x, kind in DISPERSION)
        for x in track(positions, f"{kind} {part}", transient=True)
    ]
    CACHE.mkdir(parents=True, exist_ok=True)
    out = Dimers(numbers, np.array(positions), np.array(distance), np.array(energy))
    np.savez(path, **{k: v for k, v in out._asdict().items() if k != "numbers"})
    return out


class Chains(NamedTuple):
    """Hydrogen chains along z.

    Attributes
    ----------
    positions : list of (2 n, 3) arrays
        Bohr.
    polarizability : (n_chain, 3, 3) array
        Bohr^3.
    """

    positions: list[np.ndarray]
    polarizability: np.ndarray


def chain(n: int, rng: np.random.Generator) -> np.ndarray:
    """(H2)_n with bonds of 2 bohr and gaps of 3 bohr, shaken by 0.05 bohr."""
    z = 5.0 * np.arange(n)[:, None] + np.array([0.0, 2.0])
    x = np.zeros((2 * n, 3))
    x[:, 2] = z.ravel()
    return x + 0.05 * rng.normal(size=x.shape)


def chains(lengths: list[int], each: int) -> Chains:
    """``each`` shaken chains of every length, from the cache or computed."""
    path = CACHE / f"chains-{min(lengths)}-{max(lengths)}-{each}.npz"
    rng = np.random.default_rng(seed_of("chains", max(lengths)))
    positions = [chain(n, rng) for n in lengths for _ in range(each)]
    if path.exists():
        return Chains(positions, np.load(path)["polarizability"])
    out = []
    for x in track(positions, "chains", transient=True):
        molecule = gto.M(
            atom=[("H", p) for p in x.tolist()], unit="Bohr", basis="6-31g**", verbose=0
        )
        solver = scf.RHF(molecule).run(conv_tol=1e-10)
        out.append(polarizability_of(solver))
    CACHE.mkdir(parents=True, exist_ok=True)
    np.savez(path, polarizability=np.array(out))
    return Chains(positions, np.array(out))
