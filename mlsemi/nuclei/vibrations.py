"""Harmonic vibrations: frequencies, infrared intensities, thermochemistry.

The Hessian and the derivatives of the dipole moment come from central differences of analytic
forces and dipoles. Translations and rotations are projected out, so that 3 N - 6 modes are left,
3 N - 5 of a linear molecule. This is a door: eV, angstrom, cm^-1, km/mol.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.thermochemistry import IdealGasThermo
from scipy import constants

from mlsemi.brief import Brief
from mlsemi.calculator import MLSemi
from mlsemi.errors import InputError
from mlsemi.molecule.formats import structure_of
from mlsemi.nuclei.relaxation import largest_force
from mlsemi.periodic.result import refuse_in_cells

STEP = 0.005
"""Displacement of the differences, angstrom."""

LINEAR = 1e-3
"""Smallest moment of inertia over the largest: a molecule below is linear."""

RELAXED = 0.05
"""Largest force, eV/angstrom, of a geometry at which harmonic frequencies mean something."""

WAVENUMBER = np.sqrt(constants.e / constants.atomic_mass) * 1e10 / (200.0 * np.pi * constants.c)
"""cm^-1 of a mode of 1 eV / (angstrom^2 amu): sqrt(k / m) / (2 pi c), 521.47."""

INTENSITY = (
    constants.N_A
    * constants.e**2
    / (12.0 * constants.epsilon_0 * constants.c**2 * constants.atomic_mass)
    / 1e3
)
"""km/mol of a mode with |d mu / d Q|^2 = 1 e^2 / amu: N_A / (12 eps_0 c^2), 974.88."""


@dataclass(frozen=True, eq=False, repr=False)
class Vibrations(Brief):
    """Normal modes of a molecule.

    Attributes
    ----------
    atoms : ase.Atoms
    energy_ev : float
    wavenumbers : (n_mode,) array
        cm^-1, ascending; imaginary ones are negative.
    intensities : (n_mode,) array
        Infrared, km/mol; NaN where the dipole of the surface is not known (excited states).
    modes : (n_mode, n_atom, 3) array
        Cartesian displacements, their largest atom moving by 1.
    linear : bool
    largest_force : float
        At the geometry, eV/angstrom.
    """

    atoms: Atoms
    energy_ev: float
    wavenumbers: np.ndarray
    intensities: np.ndarray
    modes: np.ndarray
    linear: bool
    largest_force: float

    @property
    def imaginary(self) -> np.ndarray:
        """Numbers of the modes along which the energy falls."""
        return np.flatnonzero(self.wavenumbers < 0.0)

    @property
    def zero_point_ev(self) -> float:
        """Half the sum of the real frequencies."""
        real = self.wavenumbers[self.wavenumbers > 0.0]
        return float(0.5 * real.sum() * units.invcm)

    def thermochemistry(
        self, kelvin: float = 298.15, pascal: float = 101325.0, symmetry_number: int = 1
    ) -> dict[str, float]:
        """Ideal gas, rigid rotor, harmonic oscillators; imaginary modes are left out.

        Parameters
        ----------
        kelvin, pascal : float
        symmetry_number : int
            Rotations that map the molecule onto itself.

        Returns
        -------
        dict
            ``zero_point_ev``, ``enthalpy_ev``, ``entropy_ev_per_kelvin``, ``gibbs_ev`` (the energy
            of the electrons included), ``temperature_k``, ``pressure_pa``, ``symmetry_number``.

        Raises
        ------
        InputError
            For a temperature, pressure or symmetry number that is not positive.
        """
        if not (kelvin > 0.0 and pascal > 0.0 and symmetry_number >= 1):
            raise InputError("temperature, pressure and symmetry number must be positive")
        single = len(self.atoms) == 1
        geometry: Any = "monatomic" if single else "linear" if self.linear else "nonlinear"
        energies: Any = np.sqrt(self.wavenumbers.astype(complex) * np.abs(self.wavenumbers))
        with warnings.catch_warnings():  # of imaginary modes, which the modes show themselves
            warnings.simplefilter("ignore", UserWarning)
            thermo = IdealGasThermo(
                vib_energies=energies * units.invcm,
                geometry=geometry,
                potentialenergy=self.energy_ev,
                atoms=self.atoms,
                symmetrynumber=symmetry_number,
                spin=0.5 * (_multiplicity(self.atoms) - 1),
                ignore_imag_modes=True,
            )
        return {
            "temperature_k": kelvin,
            "pressure_pa": pascal,
            "symmetry_number": symmetry_number,
            "zero_point_ev": self.zero_point_ev,
            "enthalpy_ev": float(thermo.get_enthalpy(kelvin, verbose=False)),
            "entropy_ev_per_kelvin": float(thermo.get_entropy(kelvin, pascal, verbose=False)),
            "gibbs_ev": float(thermo.get_gibbs_energy(kelvin, pascal, verbose=False)),
        }

    def frames(self, mode: int, amplitude: float = 0.4, number: int = 20) -> list[Atoms]:
        """One period of a mode, to be looked at as a film.

        Parameters
        ----------
        mode : int
        amplitude : float
            Of the atom that moves farthest, angstrom.
        number : int
            Of frames.
        """
        film = []
        for phase in np.arange(number) * (2.0 * np.pi / number):
            frame = Atoms(self.atoms.numbers, self.atoms.get_positions())
            frame.positions += amplitude * np.sin(phase) * self.modes[mode]
            film.append(frame)
        return film


def vibrations(
    atoms: Atoms,
    calculator: MLSemi | None = None,
    *,
    step: float = STEP,
    tell: Callable[[int, int], None] | None = None,
) -> Vibrations:
    """Normal modes at a geometry, which should be relaxed.

    Parameters
    ----------
    atoms : ase.Atoms
        Left as they are.
    calculator : MLSemi, optional
        Its settings choose the surface; by default the ground state.
    step : float
        Displacement, angstrom.
    tell : function of the displacements done and all of them, optional

    Raises
    ------
    InputError
        For a surface without forces.
    """
    refuse_in_cells({"vibrations": bool(atoms.pbc.any())})
    atoms = Atoms(atoms.numbers, atoms.get_positions(), info=dict(atoms.info))
    atoms.calc = calculator = MLSemi() if calculator is None else calculator
    energy, force = float(atoms.get_potential_energy()), largest_force(atoms)
    hessian, dipole = differences(atoms, not calculator.parameters["state"], step, tell)
    rigid = rigid_motions(atoms)
    root = np.repeat(atoms.get_masses() ** -0.5, 3)
    weighted = root[:, None] * hessian * root
    # an orthonormal basis of what is left once the rigid motions are taken out
    inner = np.linalg.svd(rigid, full_matrices=True)[0][:, rigid.shape[1] :]
    values, vectors = np.linalg.eigh(inner.T @ weighted @ inner)
    modes = (inner @ vectors).T * root
    intensities = INTENSITY * np.sum((modes @ dipole) ** 2, axis=1)
    modes = modes.reshape(len(values), len(atoms), 3)
    largest = np.linalg.norm(modes, axis=2).max(axis=1, initial=0.0)
    return Vibrations(
        atoms=atoms,
        energy_ev=energy,
        wavenumbers=np.sign(values) * np.sqrt(np.abs(values)) * WAVENUMBER,
        intensities=intensities,
        modes=modes / largest[:, None, None],
        linear=rigid.shape[1] == 5,
        largest_force=force,
    )


def differences(
    atoms: Atoms,
    dipoles: bool,
    step: float = STEP,
    tell: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Second derivatives of the energy and first ones of the dipole, by central differences.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator; moved, and put back.
    dipoles : bool
        Whether there are dipoles; their derivatives are NaN otherwise.
    step : float
        Displacement, angstrom.
    tell : function of the displacements done and all of them, optional

    Returns
    -------
    hessian : (3 n_atom, 3 n_atom) array
        Symmetric, eV/angstrom^2.
    dipole : (3 n_atom, 3) array
        e.
    """
    start = atoms.get_positions()
    n = start.size
    hessian, dipole = np.zeros((n, n)), np.zeros((n, 3))
    for row in range(n):
        sides = []
        for sign in (1.0, -1.0):
            moved = start.copy()
            moved.flat[row] += sign * step
            atoms.set_positions(moved)
            at = atoms.get_dipole_moment() if dipoles else np.full(3, np.nan)
            sides.append((atoms.get_forces().ravel(), at))
        hessian[row] = (sides[1][0] - sides[0][0]) / (2.0 * step)
        dipole[row] = (sides[0][1] - sides[1][1]) / (2.0 * step)
        if tell is not None:
            tell(row + 1, n)
    atoms.set_positions(start)
    return 0.5 * (hessian + hessian.T), dipole


def rigid_motions(atoms: Atoms) -> np.ndarray:
    """(3 n_atom, n_rigid) orthonormal translations and rotations, weighted by root masses.

    Parameters
    ----------
    atoms : ase.Atoms
    """
    roots = np.sqrt(atoms.get_masses())
    away = atoms.get_positions() - atoms.get_center_of_mass()
    columns = [np.outer(roots, axis).ravel() for axis in np.eye(3)]
    moments, axes = atoms.get_moments_of_inertia(vectors=True)
    columns += [
        (roots[:, None] * np.cross(axis, away)).ravel()
        for moment, axis in zip(moments, axes, strict=True)
        if moment > LINEAR * max(moments.max(), 1e-12)
    ]
    return np.linalg.qr(np.array(columns).T)[0]


def _multiplicity(atoms: Atoms) -> int:
    """2 S + 1 of the surface that a calculator has followed."""
    calculator = atoms.calc
    assert isinstance(calculator, MLSemi)
    given = (calculator.parameters[name] for name in ("charge", "multiplicity"))
    return structure_of(atoms, *given)[0].multiplicity
