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

from mlsemi.orbitals import eigen
from mlsemi.orbitals.eigen import ElectronicState
from mlsemi.response.constants import ResponseConstants
from mlsemi.response.coulomb import coulomb, coulomb_adjoint, coulomb_hardness_adjoint
from mlsemi.response.neutral import Neutral
from mlsemi.response.polarisation import polarise, screened
from mlsemi.response.surroundings import Embedding, Surroundings
from mlsemi.response.susceptibility import Induction

ALONG = 0.002
"""Step of the largest element of a density in :meth:`Response.levels_adjoint`."""

SPREAD = 0.001
"""kT of the occupations of ions and open shells at least, hartree: degenerate levels share."""


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
        spin = np.diag((self.constants.spin * self.spin_populations)[atoms])
        shared = self.neutral.moments.operator(self.potential + self._growing)
        exchange = self.constants.exchange * self.gamma[atoms][:, atoms] * self.changes
        return np.stack([shared - exchange[0] + spin, shared - exchange[1] - spin])

    @property
    def closed(self) -> bool:
        """Whether no electron has come, gone or turned its spin."""
        alpha, beta = self.fillings
        return alpha is beta and 2 * alpha.n_occupied == self.neutral.n_electron

    @property
    def lost(self) -> np.ndarray:
        """(n_atom,) charge dq of every atom, before others answer to it."""
        return self.neutral.moments.of(self.changes.sum(axis=0))[:, 0]

    @property
    def hardness(self) -> np.ndarray:
        """(n_atom,) U_A exp(k_A dq_A)."""
        return self.constants.hardness_at(self.lost)

    @property
    def _gamma_bar(self) -> np.ndarray:
        """(n_atom, n_atom) dE/d gamma; G is stationary in x."""
        x = self.moment_change[:, 0]
        blocks = _per_atom(self.changes, self.neutral.moments.orbital_atom)
        return np.asarray(0.5 * np.outer(x, x) - 0.5 * self.constants.exchange * blocks)

    @cached_property
    def _hardness_bar(self) -> np.ndarray:
        """(n_atom,) dE/d hardness."""
        positions = self.neutral.structure.positions
        return coulomb_hardness_adjoint(positions, self.hardness, self._gamma_bar)

    @property
    def _growing(self) -> np.ndarray:
        """(n_atom, 4) potential that makes electrons stay where the hardness would grow."""
        out = np.zeros_like(self.potential)
        if self.constants.growth.any():
            out[:, 0] = self.constants.growth * self.hardness * self._hardness_bar
        return out

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
        spin = 0.5 * float(self.constants.spin @ m**2)
        frozen = float(np.sum(self.changes.sum(axis=0) * self.neutral.hamiltonian))
        frozen += self.entropy_energy
        frozen += float(self.constants.odd @ self.neutral.susceptibility.odd_shares)
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
            induced = induction(screened(induction, self.embedding, self.gamma, unit))
            out[:, axis] = induced[:, 0] @ structure.positions + induced[:, 1:].sum(axis=0)
        return out

    def screened(self, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Potential v = (gamma + K)(m + x(v)) of moments m that are screened, and m + x(v)."""
        source = self.embedding.reaction(moments)
        source[:, 0] += self.gamma @ moments[:, 0]
        v = screened(self.induction, self.embedding, self.gamma, source)
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
        own = self.neutral.own_moments
        x, u = polarise(embedding, self.gamma, by_electrons, own, self.induction)
        return replace(self, embedding=embedding, moment_change=x, potential=u)

    @cached_property
    def cotangent(self) -> ResponseCotangent:
        """Gradient of :attr:`energy` by H_o, by the learned dipoles and by the positions."""
        neutral = self.neutral
        by_change = self.corrections
        own_bar = self.embedding.reaction(self.moments) + self.embedding.external
        neutral_bar = neutral.moments.operator(own_bar) - 0.5 * by_change.sum(axis=0)
        matrix_bar = self.changes.sum(axis=0)
        matrix_bar = matrix_bar + neutral.susceptibility.density_adjoint(neutral_bar)
        for state, bar in zip(self.fillings, by_change, strict=True):
            matrix_bar = matrix_bar + eigen.solve_adjoint(state, density_bar=0.5 * bar)
        matrix_bar = matrix_bar + 0.5 * self.induction.adjoint(self.potential, self.potential)
        matrix_bar = matrix_bar + neutral.susceptibility.odd_shares_adjoint(self.constants.odd)
        positions = neutral.structure.positions
        by_atoms, by_charges = self.embedding.gradient(self.moments)
        by_atoms = by_atoms + coulomb_adjoint(positions, self.hardness, self._gamma_bar)
        bars = matrix_bar, own_bar[:, 1:], by_atoms, by_charges
        return ResponseCotangent(*bars, self.constants_slope)

    def levels_adjoint(self, hamiltonians_bar: np.ndarray) -> ResponseConstants:
        """DL/d constants of a loss of what is read off the orbitals of H_s, at fixed H_o and Pi.

        H_s - H_o = dE/dP_s (17a), so that with any B_s

            d/dc sum_s <B_s, H_s> = d/dt dE/dc(dP + t B),

        and that derivative, of a smooth function of one number, by central differences.

        Parameters
        ----------
        hamiltonians_bar : (2, n_orbital, n_orbital) array
            dL/dH_s, symmetric; where both spins have the same orbitals, all of it may stand in one.
        """
        size = float(np.abs(hamiltonians_bar).max())
        if not size:
            return ResponseConstants.of_rows(*map(np.zeros_like, self.constants.rows))

        def slope(step: float) -> list[np.ndarray]:
            changes = self.changes + step / size * hamiltonians_bar
            known = self.neutral, self.embedding, self.constants, self.induction
            return list(answer(*known, self.fillings, changes).constants_slope.rows)

        far, near = ((slope(k * ALONG), slope(-k * ALONG)) for k in (2.0, 1.0))
        found = (
            size / (12.0 * ALONG) * (8.0 * (a - b) - (c - d))
            for a, b, c, d in zip(*near, *far, strict=True)
        )
        return ResponseConstants.of_rows(*found)

    @cached_property
    def constants_slope(self) -> ResponseConstants:
        """Gradient of :attr:`energy` by the constants, at fixed dP and Pi."""
        known, u, susceptibility = self.constants, self.potential, self.neutral.susceptibility
        blocks = _per_atom(self.changes, self.neutral.moments.orbital_atom)
        by_hardness = self._hardness_bar * np.exp(known.growth * self.lost)
        return ResponseConstants(
            hardness=by_hardness,
            growth=by_hardness * known.hardness * self.lost,
            spin=0.5 * self.spin_populations**2,
            odd=susceptibility.odd_shares,
            exchange=-0.5 * float(np.sum(self.gamma * blocks)),
            screening=0.0 if self.closed else 0.5 * float(np.sum(u * susceptibility(u))),
        )


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
    constants : ResponseConstants
        By the constants.
    """

    hamiltonian: np.ndarray
    atom_dipoles: np.ndarray
    positions: np.ndarray
    charge_positions: np.ndarray | None
    constants: ResponseConstants


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
    """Put the electrons of a charge and a multiplicity into the molecule in its surroundings.

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
    if fillings[0] is fillings[1] and fillings[0].kt == 0.0:
        changes = np.zeros_like(changes)
    induction = neutral.induction(constants.screening, charge == 0 and multiplicity == 1)
    return answer(neutral, embedding, constants, induction, fillings, changes)


def answer(
    neutral: Neutral,
    embedding: Embedding,
    constants: ResponseConstants,
    induction: Induction,
    fillings: tuple[ElectronicState, ElectronicState],
    changes: np.ndarray,
) -> Response:
    """The response to given changes of the density, which decide it.

    Parameters
    ----------
    neutral : Neutral
    embedding : Embedding
    constants : ResponseConstants
    induction : Induction
    fillings : tuple of two ElectronicState
        What the entropy is of.
    changes : (2, n_orbital, n_orbital) array
        dP_a, dP_b.
    """
    by_electrons = neutral.moments.of(changes.sum(axis=0))
    hardness = constants.hardness_at(by_electrons[:, 0])
    gamma = coulomb(neutral.structure.positions, hardness)
    x, u = polarise(embedding, gamma, by_electrons, neutral.own_moments, induction)
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
