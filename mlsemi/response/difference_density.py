"""Charge, spin and surroundings: the difference-density response (theory section 13).

Everything is counted from the neutral molecule with paired electrons, whose H_o the geometry alone
decides. The wanted electrons are put into its orbitals; what has changed acts on the levels once:

    dP_s = C f_s C^T - P_0 / 2,   dq = moments of dP,   m_A = sum_(m in A) (dP_a - dP_b)_mm
    u = gamma x + K (q_0 + x) + phi,   x = dq + s Pi u - a u                                   (17)
    H_s = H_o + M(u) - c dP_s o gamma +- diag(W m)                                             (17a)
    E = E_0 + tr[(dP_a + dP_b) H_o] + G - c/2 sum_s dP_s : (dP_s o gamma) + 1/2 m W m          (18)
    G = -1/2 u (s Pi - a) u + 1/2 x (gamma + K) x + x K q_0 + 1/2 q_0 K q_0 + phi (q_0 + x)

G is stationary in the moments x, so its derivatives need no response. There is no
self-consistency. A neutral closed shell in empty space has no difference density: nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mlsemi.errors import ConvergenceError
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals import eigen
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.response.atomic_polarizability import SCREENING, polarizabilities
from mlsemi.response.constants import ResponseConstants
from mlsemi.response.coulomb import coulomb, coulomb_adjoint
from mlsemi.response.moments import AtomicMoments
from mlsemi.response.surroundings import Embedding, Surroundings
from mlsemi.response.susceptibility import Induction, Susceptibility

RESIDUAL = 1e-13
"""Relative residual of the linear system for the potential."""

RUNAWAY = 2.0
"""Electrons that polarisation may move to or from one atom."""

SPREAD = 0.001
"""kT of the occupations of ions and open shells at least, hartree: degenerate levels share."""


@dataclass(frozen=True, eq=False)
class Neutral:
    """The neutral molecule with paired electrons, of which everything is a change.

    Attributes
    ----------
    structure : Structure
    hamiltonian : (n_orbital, n_orbital) array
        H_o.
    state : ElectronicState
        Its orbitals.
    atom_dipoles : (n_atom, 3) array
        Learned dipoles of the atoms, e bohr.
    moments : AtomicMoments
    """

    structure: Structure
    hamiltonian: np.ndarray
    state: ElectronicState
    atom_dipoles: np.ndarray
    moments: AtomicMoments

    @property
    def n_electron(self) -> int:
        """Valence electrons of the neutral molecule."""
        return int(self.structure.core_charges.sum())

    @cached_property
    def susceptibility(self) -> Susceptibility:
        """Pi."""
        return Susceptibility.of_state(self.moments, self.state, self.n_electron)

    def induction(self, screening: float, closed: bool) -> Induction:
        """What a potential induces in the closed shell, or where electrons came or went."""
        atomic = polarizabilities(self.structure.numbers, closed)
        return Induction(self.susceptibility, SCREENING if closed else screening, atomic)

    @cached_property
    def density(self) -> np.ndarray:
        """(n_orbital, n_orbital) P_0."""
        return self.susceptibility.density

    @cached_property
    def own_moments(self) -> np.ndarray:
        """(n_atom, 4) moments q_0, cores and learned dipoles included."""
        out = self.moments.of(self.density)
        out[:, 0] += self.structure.core_charges
        out[:, 1:] += self.atom_dipoles
        return out


@dataclass(frozen=True, eq=False)
class Response:
    """The molecule with its charge, spin and surroundings.

    Attributes
    ----------
    neutral : Neutral
    embedding : Embedding
    constants : ResponseConstants
    induction : Induction
        What the potential induces.
    fillings : tuple of two ElectronicState
        Alpha and beta electrons in the orbitals of the neutral molecule; the occupations of a
        state are those of both spins, so half of its density is P_s.
    changes : (2, n_orbital, n_orbital) array
        dP_a, dP_b.
    gamma : (n_atom, n_atom) array
    moment_change : (n_atom, 4) array
        x.
    potential : (n_atom, 4) array
        u.
    """

    neutral: Neutral
    embedding: Embedding
    constants: ResponseConstants
    induction: Induction
    fillings: tuple[ElectronicState, ElectronicState]
    changes: np.ndarray
    gamma: np.ndarray
    moment_change: np.ndarray
    potential: np.ndarray

    @cached_property
    def moments(self) -> np.ndarray:
        """(n_atom, 4) charges and dipoles q_0 + x of the atoms."""
        return self.neutral.own_moments + self.moment_change

    @property
    def charges(self) -> np.ndarray:
        """(n_atom,) charges, e."""
        return self.moments[:, 0]

    @property
    def dipole(self) -> np.ndarray:
        """(3,) dipole about the origin, e bohr."""
        return self.charges @ self.neutral.structure.positions + self.moments[:, 1:].sum(axis=0)

    @cached_property
    def spin_populations(self) -> np.ndarray:
        """(n_atom,) m_A, electrons."""
        difference = np.diag(self.changes[0] - self.changes[1])
        n_atom = self.neutral.structure.n_atom
        return np.bincount(self.neutral.moments.orbital_atom, difference, n_atom)

    @cached_property
    def corrections(self) -> np.ndarray:
        """(2, n_orbital, n_orbital) H_s - H_o (eq 17a), which is dE/dP_s at fixed H_o as well."""
        atoms = self.neutral.moments.orbital_atom
        spin = np.diag((self.spin_constants * self.spin_populations)[atoms])
        shared = self.neutral.moments.operator(self.potential)
        exchange = self.constants.exchange * self.gamma[atoms][:, atoms] * self.changes
        return np.stack([shared - exchange[0] + spin, shared - exchange[1] - spin])

    @property
    def spin_constants(self) -> np.ndarray:
        """(n_atom,) W_A."""
        return self.constants.spin_of(self.neutral.structure.numbers)

    @cached_property
    def states(self) -> tuple[ElectronicState, ElectronicState]:
        """Alpha and beta orbitals of H_s; the same object where they are equal."""
        alpha, beta = self.fillings
        hamiltonians = self.neutral.hamiltonian + self.corrections
        first = eigen.solve(hamiltonians[0], 2 * alpha.n_occupied, alpha.kt)
        if alpha is beta:
            return first, first
        return first, eigen.solve(hamiltonians[1], 2 * beta.n_occupied, beta.kt)

    @property
    def beta(self) -> ElectronicState | None:
        """Orbitals of the beta electrons where they differ from those of the alpha ones."""
        alpha, beta = self.states
        return None if beta is alpha else beta

    @property
    def s_squared(self) -> float:
        """<S^2> of the determinant of both spins' orbitals."""
        alpha, beta = self.states
        n_a, n_b = alpha.n_occupied, beta.n_occupied
        common = 0.25 * float(np.sum(alpha.density * beta.density))
        return 0.25 * (n_a - n_b) ** 2 + 0.5 * (n_a + n_b) - common

    @cached_property
    def electrostatic_energy(self) -> float:
        """G, hartree."""
        x, u, own = self.moment_change, self.potential, self.neutral.own_moments
        answer = self.embedding.reaction(x + own)
        own_answer = self.embedding.reaction(own)
        G = -0.5 * np.sum(u * self.induction(u))
        G += 0.5 * x[:, 0] @ self.gamma @ x[:, 0]
        G += 0.5 * np.sum(x * (answer + own_answer)) + 0.5 * np.sum(own * own_answer)
        return float(G + np.sum(self.embedding.external * self.moments))

    @property
    def energy(self) -> float:
        """E - E_0, hartree; a free energy with respect to the occupations."""
        blocks = _per_atom(self.changes, self.neutral.moments.orbital_atom)
        m = self.spin_populations
        exchange = -0.5 * self.constants.exchange * float(np.sum(self.gamma * blocks))
        spin = 0.5 * float(self.spin_constants @ m**2)
        frozen = float(np.sum(self.changes.sum(axis=0) * self.neutral.hamiltonian))
        frozen += self.entropy_energy
        electrons = frozen + self.electrostatic_energy + exchange + spin
        return electrons + self.embedding.nonpolar_energy

    @property
    def entropy_energy(self) -> float:
        """-T S of the occupations, hartree."""
        return -sum(0.5 * s.entropy * s.kt for s in self.fillings)

    @cached_property
    def polarizability(self) -> np.ndarray:
        """(3, 3) static polarisability alpha = d dipole / d field, bohr^3."""
        structure, induction = self.neutral.structure, self.induction
        out = np.empty((3, 3))
        for axis in range(3):
            unit = Surroundings(field=np.eye(3)[axis]).around(structure).external
            induced = induction(_screened(induction, self.embedding, self.gamma, unit))
            out[:, axis] = induced[:, 0] @ structure.positions + induced[:, 1:].sum(axis=0)
        return out

    def screened(self, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Potential v = (gamma + K)(m + x(v)) of moments m that are screened, and m + x(v)."""
        source = self.embedding.reaction(moments)
        source[:, 0] += self.gamma @ moments[:, 0]
        v = _screened(self.induction, self.embedding, self.gamma, source)
        return v, moments + self.induction(v)

    @property
    def polar_energy(self) -> float:
        """What the polarisation of the solvent contributes to the energy, hartree."""
        return self.electrostatic_energy - self.dry.electrostatic_energy

    @cached_property
    def dry(self) -> Response:
        """The same without the solvent."""
        outside = replace(self.embedding.surroundings, solvent=None)
        embedding = outside.around(self.neutral.structure)
        by_electrons = self.neutral.moments.of(self.changes.sum(axis=0))
        x, u = _polarise(self.neutral, embedding, self.gamma, by_electrons, self.induction)
        return replace(self, embedding=embedding, moment_change=x, potential=u)

    @cached_property
    def cotangent(self) -> ResponseCotangent:
        """Gradient of :attr:`energy` by H_o, by the learned dipoles and by the positions."""
        neutral, atoms = self.neutral, self.neutral.moments.orbital_atom
        by_change = self.corrections
        own_bar = self.embedding.reaction(self.moments) + self.embedding.external
        neutral_bar = neutral.moments.operator(own_bar) - 0.5 * by_change.sum(axis=0)
        matrix_bar = self.changes.sum(axis=0)
        matrix_bar = matrix_bar + neutral.susceptibility.density_adjoint(neutral_bar)
        for state, bar in zip(self.fillings, by_change, strict=True):
            matrix_bar = matrix_bar + eigen.solve_adjoint(state, density_bar=0.5 * bar)
        matrix_bar = matrix_bar + 0.5 * self.induction.adjoint(self.potential, self.potential)
        x = self.moment_change[:, 0]
        gamma_bar = 0.5 * np.outer(x, x)
        gamma_bar -= 0.5 * self.constants.exchange * _per_atom(self.changes, atoms)
        structure = neutral.structure
        hardness = self.constants.hardness_of(structure.numbers)
        by_atoms, by_charges = self.embedding.gradient(self.moments)
        by_atoms = by_atoms + coulomb_adjoint(structure.positions, hardness, gamma_bar)
        return ResponseCotangent(matrix_bar, own_bar[:, 1:], by_atoms, by_charges)


@dataclass(frozen=True, eq=False)
class ResponseCotangent:
    """dE/d(everything the response depends on).

    Attributes
    ----------
    hamiltonian : (n_orbital, n_orbital) symmetric array
        By H_o.
    atom_dipoles : (n_atom, 3) array
        By the learned dipoles.
    positions : (n_atom, 3) array
        Directly, at fixed H_o.
    charge_positions : (n_charge, 3) array or None
        By the positions of point charges.
    """

    hamiltonian: np.ndarray
    atom_dipoles: np.ndarray
    positions: np.ndarray
    charge_positions: np.ndarray | None


def _per_atom(changes: np.ndarray, atoms: np.ndarray) -> np.ndarray:
    """(n_atom, n_atom) sums of dP_mn^2 over the orbitals of two atoms and both spins."""
    start = np.flatnonzero(np.diff(atoms, prepend=-1))
    squares = (changes**2).sum(axis=0)
    return np.asarray(np.add.reduceat(np.add.reduceat(squares, start, axis=0), start, axis=1))


def respond(
    neutral: Neutral,
    embedding: Embedding,
    charge: int,
    multiplicity: int,
    constants: ResponseConstants,
    kt: float = 0.0,
) -> Response:
    """Put the electrons of a charge and a multiplicity into the molecule and its surroundings.

    Parameters
    ----------
    neutral : Neutral
    embedding : Embedding
    charge : int
    multiplicity : int
        2 S + 1; fits the number of electrons.
    constants : ResponseConstants
    kt : float
        Electronic temperature times Boltzmann's constant, hartree.

    Raises
    ------
    ConvergenceError
        If the linear system for the potential does not converge or runs away, or the neutral
        molecule has no gap.
    """
    n = neutral.n_electron - charge
    fillings = _fill(neutral, (n + multiplicity - 1) // 2, (n - multiplicity + 1) // 2, kt)
    half = 0.5 * neutral.density
    changes = np.stack([0.5 * state.density - half for state in fillings])
    structure = neutral.structure
    gamma = coulomb(structure.positions, constants.hardness_of(structure.numbers))
    if fillings[0] is fillings[1] and fillings[0].kt == 0.0:
        changes = np.zeros_like(changes)
    by_electrons = neutral.moments.of(changes.sum(axis=0))
    induction = neutral.induction(constants.screening, charge == 0 and multiplicity == 1)
    x, u = _polarise(neutral, embedding, gamma, by_electrons, induction)
    return Response(neutral, embedding, constants, induction, fillings, changes, gamma, x, u)


def _fill(
    neutral: Neutral, n_alpha: int, n_beta: int, kt: float
) -> tuple[ElectronicState, ElectronicState]:
    """The orbitals of the neutral molecule with other electrons; one object for equal spins."""
    energies, orbitals = neutral.state.energies, neutral.state.orbitals
    if n_alpha == n_beta and 2 * n_alpha == neutral.n_electron:
        same = ElectronicState(energies, orbitals, n_alpha, kt)
        return same, same
    kt = max(kt, SPREAD)
    alpha = ElectronicState(energies, orbitals, n_alpha, kt)
    if n_alpha == n_beta:
        return alpha, alpha
    return alpha, ElectronicState(energies, orbitals, n_beta, kt)


def _polarise(
    neutral: Neutral,
    embedding: Embedding,
    gamma: np.ndarray,
    by_electrons: np.ndarray,
    induction: Induction,
) -> tuple[np.ndarray, np.ndarray]:
    """Moments x and potential u of eq 17, for the moments dq that the electrons bring."""
    source = embedding.reaction(neutral.own_moments + by_electrons) + embedding.external
    source[:, 0] += gamma @ by_electrons[:, 0]
    u = _screened(induction, embedding, gamma, source)
    induced = induction(u)
    most = np.abs(induced[:, 0]).max(initial=0.0)
    if most > RUNAWAY:
        raise ConvergenceError(
            f"the polarisation runs away: to first order an atom would take or give {most:.0f} "
            "electrons; this charge in these surroundings is beyond the response"
        )
    return by_electrons + induced, u


def _screened(
    induction: Induction, embedding: Embedding, gamma: np.ndarray, source: np.ndarray
) -> np.ndarray:
    """(n_atom, 4) potential u = source + (gamma + K) x(u)."""
    if not source.any():
        return source

    def unscreened(flat: np.ndarray) -> np.ndarray:
        u = flat.reshape(source.shape)
        induced = induction(u)
        answer = embedding.reaction(induced)
        answer[:, 0] += gamma @ induced[:, 0]
        return (u - answer).ravel()

    from scipy.sparse.linalg import LinearOperator, gmres  # slow to import

    system = LinearOperator((source.size, source.size), unscreened, dtype=float)
    found, failed = gmres(system, source.ravel(), rtol=RESIDUAL, restart=source.size, maxiter=20)
    if failed:
        raise ConvergenceError("the response of the charges did not converge")
    return np.asarray(found.reshape(source.shape))
