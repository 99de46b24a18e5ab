"""Large-basis reference calculations with PySCF (excitations: ``excitations.py``)."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from pyscf import df, dft, gto, lib

from mlsemi.errors import ConvergenceError, InputError
from mlsemi.molecule.elements import valence
from mlsemi.molecule.structure import Structure
from mlsemi.training.data.contacts import Molecules
from mlsemi.training.data.dataset import Reference
from mlsemi.training.data.projection import iao_frame, lowdin
from mlsemi.training.reference import kohn_sham
from mlsemi.training.reference.excitations import MinimalResponse, ReferenceResponse
from mlsemi.units import HARTREE_EV

VIRTUAL_WINDOW_EV = 15.0
EXTRA_ORBITALS = 30
FINEST_GRID = 9

BACKENDS = ("pyscf", "gpu4pyscf")
"""gpu4pyscf does SCF and forces on a CUDA card; its results come back as PySCF's own objects."""


@dataclass(frozen=True)
class Level:
    """Reference level of theory.

    Attributes
    ----------
    method, basis : str
        PySCF names of the functional and the basis; density fitting is always on.
    grid : int
        PySCF grid level of the converged calculation.
    convergence : float
        Energy convergence of the SCF, hartree.
    forces : bool
        Compute analytic forces as well (half as much again).
    excitations : int
        Tamm-Dancoff singlets, and as many triplets, to compute as well.
    ris : int
        Singlets to compute as well with the minimal auxiliary kernel (TDA-ris).
    backend : str
        Program of SCF and forces, one of ``BACKENDS``; the rest is the same.
    counterpoise : bool
        Compute every molecule of a complex alone, in the basis of all, as well.

    Raises
    ------
    InputError
        If PySCF does not know the functional, the basis or the grid level, or the backend is
        unknown or missing.
    """

    method: str = "b3lyp"
    basis: str = "def2-tzvp"
    grid: int = 2
    convergence: float = 1e-8
    forces: bool = False
    excitations: int = 0
    ris: int = 0
    backend: str = "pyscf"
    counterpoise: bool = False

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise InputError(f"backend {self.backend!r}: choose one of {', '.join(BACKENDS)}")
        if not 0 <= self.grid <= FINEST_GRID:
            raise InputError(f"grid level {self.grid}: choose 0 to {FINEST_GRID}")
        if importlib.util.find_spec(self.backend) is None:
            raise InputError(f"backend {self.backend!r} is not installed")
        try:
            known = bool(self.method) and bool(dft.libxc.parse_xc(self.method))
        except (KeyError, ValueError):
            known = False
        if not known:
            raise InputError(f"PySCF knows no functional {self.method!r}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                gto.basis.load(self.basis, "H")
        except (KeyError, OSError, RuntimeError):
            raise InputError(f"PySCF knows no basis {self.basis!r}") from None

    def provenance(self) -> dict[str, object]:
        """What is recorded with every dataset made at this level."""
        settings = asdict(self)
        for name in ("excitations", "ris", "backend", "counterpoise"):
            # datasets and campaigns that are older than a setting stay the same
            if settings[name] == getattr(Level, name):
                del settings[name]
        return settings | {
            "program": " and ".join(
                _program(name) for name in dict.fromkeys(("pyscf", self.backend))
            ),
            "density_fitting": True,
            "minimal_frame": "IAO on the valence part of MINAO",
        }


def _program(backend: str) -> str:
    name = "PySCF" if backend == "pyscf" else backend
    return f"{name} {importlib.import_module(backend).__version__}"


def mean_field(structure: Structure, level: Level) -> tuple[dft.rks.RKS, np.ndarray | None]:
    """Converged restricted Kohn-Sham calculation, and its forces if the level has them.

    Raises
    ------
    InputError
        For an open shell.
    ConvergenceError
        If the SCF does not converge.
    """
    if structure.multiplicity > 1:
        raise InputError(f"multiplicity {structure.multiplicity}: closed shells only")
    return _converged(large_basis(structure, level), level, level.forces)


def _converged(
    mol: gto.Mole, level: Level, with_forces: bool, fit: df.DF | None = None
) -> tuple[dft.rks.RKS, np.ndarray | None]:
    """As :func:`mean_field`; ``fit`` are the fitted integrals of the same basis functions."""
    solver = density_fitted(dft.RKS(mol, xc=level.method))
    if level.backend == "pyscf":
        solver.with_df = fit or solver.with_df
        kohn_sham.converge(solver, level.grid, level.convergence)
        forces = _forces(solver) if with_forces and solver.converged else None
    else:
        solver, forces = kohn_sham.on_gpu(solver, level.grid, level.convergence, with_forces)
    if not solver.converged:
        raise ConvergenceError(f"SCF not converged in {solver.max_cycle} iterations")
    return solver, forces


def large_basis(
    structure: Structure, level: Level, part: tuple[np.ndarray, int] | None = None
) -> gto.Mole:
    """A structure in the basis of the level, for one thread of PySCF.

    Parameters
    ----------
    structure : Structure
    level : Level
    part : tuple of (n_atom,) boolean array and int, optional
        The only atoms that are there, and their charge; the others lend their basis functions.

    Raises
    ------
    InputError
        If the basis set keeps other core electrons than the valence table says.
    """
    lib.num_threads(1)
    there, charge = part or (np.ones(structure.n_atom, dtype=bool), structure.charge)
    symbols = np.array(structure.symbols)
    names = [s if real else f"ghost-{s}" for s, real in zip(symbols, there, strict=True)]
    mol = gto.M(
        atom=list(zip(names, structure.positions.tolist(), strict=True)),
        unit="Bohr",
        basis=level.basis,
        charge=charge,
        ecp=core_potentials(level.basis, symbols[there].tolist()),
        verbose=0,
    )
    electrons = int(structure.core_charges[there].sum()) - charge
    electrons += 2 * core_orbitals(structure.numbers[there])
    if mol.nelectron != electrons:
        raise InputError(
            f"basis {level.basis!r} describes {mol.nelectron} electrons, need {electrons}: choose "
            "one with the core potential of the def2 sets, or without any before iodine"
        )
    return mol


def core_potentials(basis: str, symbols: Iterable[str]) -> dict[str, str]:
    """Elements with an effective core potential in a basis set, and its name."""
    return {symbol: basis for symbol in set(symbols) if gto.basis.load_ecp(basis, symbol)}


def core_orbitals(numbers: np.ndarray) -> int:
    """Doubly occupied orbitals below the valence."""
    return sum(valence(z).core_orbitals for z in numbers.tolist())


def density_fitted(solver: dft.rks.KohnShamDFT) -> dft.rks.KohnShamDFT:
    """An SCF with density fitting and without a file of checkpoints."""
    solver = solver.density_fit()
    solver.chkfile = None
    solver._chkfile.close()  # a file per molecule stays open otherwise
    return solver


def atom_of_functions(mol: gto.Mole) -> np.ndarray:
    """(n_function,) atom that every basis function sits on."""
    return np.repeat(np.arange(mol.natm), np.diff(mol.aoslice_by_atom()[:, 2:], axis=1)[:, 0])


def valence_minimal(molecule: gto.Mole) -> tuple[gto.Mole, np.ndarray]:
    """MINAO molecule and the indices of its valence functions in mlsemi's order.

    PySCF orders p functions x, y, z; mlsemi orders m = -1, 0, 1, that is y, z, x.
    """
    minimal = molecule.copy()
    minimal.basis = "minao"
    minimal.build(dump_input=False, parse_arg=False)
    pick: list[int] = []
    offset = minimal.ao_loc_nr()
    for shell in range(minimal.nbas):
        atom, l = minimal.bas_atom(shell), minimal.bas_angular(shell)
        if l in {l for _, l in valence(gto.charge(minimal.atom_symbol(atom))).shells}:
            # cores come first, whether or not a core potential stands for some of them
            start = offset[shell + 1] - (2 * l + 1)
            pick.extend(start + np.array([[0], [1, 2, 0]][l]))
    return minimal, np.array(pick)


def fragment_energies(
    structure: Structure, molecules: Molecules, level: Level, fit: df.DF | None = None
) -> np.ndarray:
    """(n_molecule,) energies of the molecules of a complex, each in the basis of all, hartree.

    Parameters
    ----------
    structure : Structure
    molecules : Molecules
    level : Level
    fit : pyscf.df.DF, optional
        Fitted integrals of the complex, which are those of its molecules too.

    Raises
    ------
    ConvergenceError
        If an SCF does not converge.
    """
    parts = [(molecules.of_atom == k, charge) for k, charge in enumerate(molecules.charges)]
    mols = [large_basis(structure, level, part) for part in parts]
    return np.array([_converged(mol, level, False, fit)[0].e_tot for mol in mols])


def reference_record(
    structure: Structure,
    molecule: str,
    label: str,
    origin: str,
    level: Level,
    molecules: Molecules | None = None,
) -> Reference:
    """Run the reference calculation of one structure and project it on the valence frame.

    Parameters
    ----------
    structure : Structure
    molecule, label, origin : str
        Identity, label and geometry origin, stored with the record.
    level : Level
    molecules : Molecules, optional
        Of a complex; for a level with counterpoise.

    Returns
    -------
    Reference

    Raises
    ------
    ConvergenceError
        If the SCF does not converge, or excitations find a triplet below the closed shell.
    """
    solver, forces = mean_field(structure, level)
    mol = solver.mol
    minimal, pick = valence_minimal(mol)
    n_core = core_orbitals(structure.numbers)
    n_occupied = structure.n_electron // 2
    overlap = solver.get_ovlp()
    orbitals = solver.mo_coeff
    occupied = orbitals[:, n_core : n_core + n_occupied]
    frame = iao_frame(
        overlap,
        minimal.intor_symmetric("int1e_ovlp")[np.ix_(pick, pick)],
        gto.intor_cross("int1e_ovlp", mol, minimal)[:, pick],
        occupied,
    )
    n_stored = max(
        int(np.searchsorted(solver.mo_energy, VIRTUAL_WINDOW_EV / HARTREE_EV)),
        min(n_core + frame.shape[1] + EXTRA_ORBITALS, solver.mo_energy.size),
    )
    density = solver.make_rdm1()
    r = mol.intor_symmetric("int1e_r", comp=3)
    rr = mol.intor_symmetric("int1e_rr", comp=9).reshape(3, 3, *density.shape)
    nuclear = mol.atom_charges()
    coordinates = structure.positions
    orthogonal = lowdin(np.eye(overlap.shape[0]), overlap)
    root = overlap @ orthogonal
    population = np.einsum("mi,mn,ni->i", root, density, root, optimize=True)
    return Reference(
        structure=structure,
        molecule=molecule,
        label=label,
        origin=origin,
        energy=float(solver.e_tot),
        orbital_energies=solver.mo_energy[:n_stored],
        amplitudes=frame.T @ overlap @ orbitals[:, :n_stored],
        dipole=nuclear @ coordinates - np.einsum("xmn,mn->x", r, density),
        quadrupole=np.einsum("a,ax,ay->xy", nuclear, coordinates, coordinates)
        - np.einsum("xymn,mn->xy", rr, density),
        dipole_matrix=np.einsum("mi,xmn,nj->xij", frame, r, frame, optimize=True),
        charges_lowdin=nuclear - np.bincount(atom_of_functions(mol), population, mol.natm),
        forces=forces,
        **_excitations(solver, n_core, frame.T @ overlap, r, level),
        **_fragments(structure, molecules, level, solver.with_df),
    )


def _fragments(
    structure: Structure, molecules: Molecules | None, level: Level, fit: df.DF
) -> dict[str, np.ndarray]:
    """Optional fields of a record: the molecules of a complex."""
    if not level.counterpoise or molecules is None or len(molecules) < 2:
        return {}
    return {
        "fragments": molecules.of_atom,
        "fragment_charges": np.array(molecules.charges),
        "fragment_energies": fragment_energies(structure, molecules, level, fit),
    }


def _forces(solver: dft.rks.RKS) -> np.ndarray:
    if solver._numint.libxc.xc_type(solver.xc) == "GGA" and not solver.do_nlc():
        return kohn_sham.forces(solver)
    return np.asarray(-solver.nuc_grad_method().kernel())


def _excitations(
    solver: dft.rks.RKS, n_core: int, to_frame: np.ndarray, r: np.ndarray, level: Level
) -> dict[str, np.ndarray]:
    """Optional fields of a record: states of the full kernel, singlets of the minimal one."""
    out: dict[str, np.ndarray] = {}
    if level.excitations:
        response = ReferenceResponse(solver, n_core)
        triplets = response.solve(level.excitations, True)
        lowest = float(triplets.energies[0])
        if lowest <= 0.0:
            raise ConvergenceError(
                "the closed shell is not the ground state: a triplet at "
                f"{lowest * HARTREE_EV:.2f} eV"
            )
        out |= _singlets("singlet", response, to_frame, r, level.excitations)
        out["triplet_energies"] = triplets.energies
        out["triplet_transitions"] = _moments(response, triplets.amplitudes, to_frame, r)[2]
    if level.ris:
        out |= _singlets("ris", MinimalResponse(solver, n_core), to_frame, r, level.ris)
    return out


def _singlets(
    name: str, response: ReferenceResponse, to_frame: np.ndarray, r: np.ndarray, n_state: int
) -> dict[str, np.ndarray]:
    states = response.solve(n_state, False)
    dipoles, strength_per_energy, transitions = _moments(response, states.amplitudes, to_frame, r)
    return {
        f"{name}_energies": states.energies,
        f"{name}_strengths": strength_per_energy * states.energies,
        f"{name}_dipoles": dipoles,
        f"{name}_transitions": transitions,
    }


def _moments(
    response: ReferenceResponse, amplitudes: np.ndarray, to_frame: np.ndarray, r: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Transition dipoles, f / w and transition densities in the minimal frame.

    <0|r|n> = sqrt(2) sum_ia X_ia <i|r|a> and f = 2/3 w |<0|r|n>|^2.
    """
    occupied, virtual = response.occupied, response.virtual
    between = occupied.T @ r @ virtual
    dipoles = np.sqrt(2.0) * np.tensordot(amplitudes, between, ((1, 2), (1, 2)))
    transitions = (to_frame @ occupied) @ amplitudes @ (to_frame @ virtual).T
    return dipoles, 2.0 / 3.0 * np.sum(dipoles**2, axis=1), transitions
