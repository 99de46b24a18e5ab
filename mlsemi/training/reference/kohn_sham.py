"""Kohn-Sham energies and forces of molecules with a few hundred basis functions, on one core.

PySCF does the quantum chemistry; three of its loops are replaced by shorter ones. Most SCF
iterations use a coarse grid that is corrected to the fine one, values of the basis functions on
the grid stay in memory, and forces contract integral derivatives with the density as they are
made, where PySCF first builds derivative matrices. The numbers are PySCF's, in half its time.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import numpy as np
from pyscf import df, dft, gto, lib
from pyscf.df.incore import LINEAR_DEP_THR
from pyscf.dft.gen_grid import BLKSIZE
from pyscf.dft.numint import NumInt
from scipy.linalg import cho_factor, cho_solve

POINTS = 36 * BLKSIZE
"""Grid points handled at once: a few megabytes per component."""

STORED_BYTES = 3e9
"""Values on the grid are kept only below this size; larger molecules use PySCF's own loop."""

AUXILIARY_BLOCK = 120
"""Auxiliary functions whose three-center derivatives are held at once."""

COARSE_GRID = 0
COARSE_CONVERGENCE = (1e-4, 1e-6)
"""Energy convergence on the coarse grid before and after its first correction, hartree."""

MOST_CORRECTIONS = 4
"""Further corrections before the fine grid is used in every iteration."""


class StoredOrbitals(NumInt):  # type: ignore[misc]
    """PySCF's integrator, with the basis functions on the grid kept between SCF iterations.

    Parameters
    ----------
    correction : (n_function, n_function) array, optional
        Fixed matrix added to every potential, and its expectation value to every energy.

    Attributes
    ----------
    potential : (n_function, n_function) array
        The last potential, without the correction.
    """

    def __init__(self, correction: np.ndarray | None = None) -> None:
        super().__init__()
        self.correction = correction
        self.potential = np.empty((0, 0))
        self._points: np.ndarray | None = None
        self._blocks: list[tuple[np.ndarray, np.ndarray]] = []

    def nr_rks(self, mol, grids, xc_code, dms, relativity=0, hermi=1, **options):  # type: ignore[no-untyped-def]
        """Electron number, energy and potential matrix of the functional, as ``NumInt.nr_rks``.

        V_mn = sum_g phi_m (w v_rho / 2 + w v_grad . grad) phi_n + transpose, with the density
        from the occupied orbitals: rho = 2 sum_i psi_i^2.
        """
        stored = 32.0 * mol.nao * grids.size < STORED_BYTES
        if not stored or self.libxc.xc_type(xc_code) != "GGA" or not hasattr(dms, "mo_coeff"):
            result = super().nr_rks(mol, grids, xc_code, dms, relativity, hermi, **options)
        else:
            result = self._potential(mol, grids, xc_code, occupied_of(dms))
        electrons, energy, potential = result
        self.potential = potential.copy()  # PySCF adds to what it is given
        if self.correction is None:
            return result
        return electrons, energy + np.vdot(self.correction, dms), potential + self.correction

    def _potential(
        self, mol: gto.Mole, grids: dft.Grids, xc_code: str, occupied: np.ndarray
    ) -> tuple[float, float, np.ndarray]:
        potential = np.zeros((mol.nao, mol.nao))
        electrons = energy = 0.0
        for values, weight in self._on(mol, grids):
            rho, _ = density_on_grid(values, occupied)
            exc, vxc = self.eval_xc_eff(xc_code, rho, deriv=1, xctype="GGA", spin=0)[:2]
            electrons += rho[0] @ weight
            energy += (rho[0] * weight) @ exc
            wv = weight * vxc
            wv[0] *= 0.5
            scaled = np.einsum("xng,xg->ng", values, wv)
            potential += values[0] @ scaled.T
        return electrons, energy, potential + potential.T

    def _on(self, mol: gto.Mole, grids: dft.Grids) -> list[tuple[np.ndarray, np.ndarray]]:
        if self._points is not grids.coords:
            self._blocks = list(grid_blocks(self, mol, grids, 1))
            self._points = grids.coords
        return self._blocks


def converge(solver: dft.rks.RKS, grid: int, convergence: float) -> None:
    """Run the SCF of ``solver`` on the grid of level ``grid``.

    Iterations use a coarse grid whose potential is corrected by the difference to the fine grid at
    the density reached so far, V_fine[D] - V_coarse[D]. The density is converged on the fine grid
    when its occupied-virtual gradient there is as small as PySCF asks for, the square root of the
    energy convergence; three evaluations on the fine grid are then usually enough.

    Parameters
    ----------
    solver : pyscf.dft.rks.RKS
        With density fitting; converged or not (see its ``converged``) on return.
    grid : int
        PySCF grid level.
    convergence : float
        Energy convergence, hartree.
    """
    coarse, fine = dft.Grids(solver.mol), dft.Grids(solver.mol)
    coarse.level, fine.level = COARSE_GRID, grid
    fine.build(with_non0tab=True)
    on_coarse, on_fine = StoredOrbitals(), StoredOrbitals()
    solver.conv_check, density = False, None
    for tolerance in (*COARSE_CONVERGENCE, *MOST_CORRECTIONS * (convergence,)):
        solver._numint, solver.grids, solver.conv_tol = on_coarse, coarse, tolerance
        solver.kernel(dm0=density)
        density = solver.make_rdm1()
        solver._numint, solver.grids, solver.conv_tol = on_fine, fine, convergence
        potential = solver.get_veff(dm=density)
        fock = solver.get_fock(dm=density, vhf=potential)
        gradient = solver.get_grad(solver.mo_coeff, solver.mo_occ, fock)
        if np.linalg.norm(gradient) < np.sqrt(convergence):
            solver.e_tot = solver.energy_tot(density, vhf=potential)
            solver.mo_energy, solver.mo_coeff = solver.eig(fock, solver.get_ovlp())
            solver.mo_occ = solver.get_occ(solver.mo_energy, solver.mo_coeff)
            solver.converged = True
            return
        on_coarse.correction = None
        on_coarse.nr_rks(solver.mol, coarse, solver.xc, density)
        on_coarse.correction = on_fine.potential - on_coarse.potential
    solver.conv_check = True
    solver.kernel(dm0=density)


def on_gpu(
    solver: dft.rks.RKS, grid: int, convergence: float, with_forces: bool
) -> tuple[dft.rks.RKS, np.ndarray | None]:
    """As :func:`converge` and :func:`forces`, but on a CUDA card by gpu4pyscf.

    The card's memory is given back afterwards, so that several processes can share it.

    Parameters
    ----------
    solver : pyscf.dft.rks.RKS
        With density fitting.
    grid : int
    convergence : float
    with_forces : bool

    Returns
    -------
    solver : pyscf.dft.rks.RKS
        PySCF's own object again, with the results.
    forces : (n_atom, 3) array or None
        Hartree/bohr.
    """
    fast = solver.to_gpu()
    fast.grids.level, fast.conv_tol = grid, convergence
    fast.kernel()
    gradient = fast.nuc_grad_method().kernel() if with_forces and fast.converged else None
    there = fast.to_cpu()
    del fast
    importlib.import_module("cupy").get_default_memory_pool().free_all_blocks()
    return there, None if gradient is None else -np.asarray(gradient)


def grid_blocks(
    numint: NumInt, mol: gto.Mole, grids: dft.Grids, order: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Basis functions and their derivatives (component, function, point), and grid weights."""
    for start in range(0, grids.size, POINTS):
        points = slice(start, start + POINTS)
        mask = grids.non0tab[start // BLKSIZE : -(-min(start + POINTS, grids.size) // BLKSIZE)]
        values = numint.eval_ao(
            mol, grids.coords[points], deriv=order, non0tab=mask, cutoff=grids.cutoff
        )
        yield values.transpose(0, 2, 1), grids.weights[points]


def occupied_of(density: np.ndarray) -> np.ndarray:
    """Orthonormal occupied orbitals behind a closed-shell density matrix of PySCF."""
    return np.ascontiguousarray(density.mo_coeff[:, density.mo_occ > 0])  # type: ignore[attr-defined]


def density_on_grid(values: np.ndarray, occupied: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(4, n_point) density with its gradient, and (4, n_occ, n_point) orbitals likewise."""
    orbitals = np.stack([occupied.T @ component for component in values[:4]])
    rho = 2.0 * np.einsum("ig,xig->xg", orbitals[0], orbitals)
    rho[1:] *= 2.0
    return rho, orbitals


def forces(solver: dft.rks.RKS) -> np.ndarray:
    """(n_atom, 3) forces of a converged, density-fitted closed-shell calculation, hartree/bohr.

    F = -dE/dR at fixed grid, as PySCF's default. GGA functionals and their hybrids.
    """
    density = solver.make_rdm1()
    occupied = occupied_of(density)
    gradient = solver.nuc_grad_method()
    core = gradient.hcore_generator(solver.mol)
    weighted = gradient.make_rdm1e()
    per_function = 2.0 * np.einsum("xmn,mn->mx", gradient.get_ovlp(), -weighted, optimize=True)
    per_function += exchange_correlation_gradient(solver, occupied)
    out = gradient.grad_nuc()
    out += np.array([np.tensordot(core(a), density, 2) for a in range(solver.mol.natm)])
    omega, alpha, hybrid = solver._numint.rsh_and_hybrid_coeff(solver.xc)
    out += fitted_gradient(solver.with_df, density, occupied, 1.0, hybrid)
    if omega:
        with solver.with_df.range_coulomb(omega) as fit:
            out += fitted_gradient(fit, density, occupied, 0.0, alpha - hybrid)
    return -(out + _per_atom(solver.mol, per_function))


def _per_atom(mol: gto.Mole, per_function: np.ndarray) -> np.ndarray:
    ranges = mol.aoslice_by_atom()[:, 2:]
    return np.stack([per_function[first:last].sum(axis=0) for first, last in ranges])


def exchange_correlation_gradient(solver: dft.rks.RKS, occupied: np.ndarray) -> np.ndarray:
    """(n_function, 3) derivative of the functional with respect to each function's center.

    dE/dR_m = -2 sum_g [ d phi_m b_0 + sum_k (d d_k phi_m) b_k ], where
    b_0 = D (w_0 phi + sum_c w_c d_c phi) and b_k = D (w_k phi); D acts through the few occupied
    orbitals.
    """
    numint, mol = solver._numint, solver.mol
    second = np.array([[4, 5, 6], [5, 7, 8], [6, 8, 9]])
    out = np.zeros((3, mol.nao))
    for values, weight in grid_blocks(numint, mol, solver.grids, 2):
        rho, orbitals = density_on_grid(values, occupied)
        wv = weight * numint.eval_xc_eff(solver.xc, rho, deriv=1, xctype="GGA", spin=0)[1]
        wv[0] *= 0.5
        along = np.einsum("xg,xig->ig", wv, orbitals) + wv[0] * orbitals[0]
        b = np.stack([occupied @ x for x in (along, *(w * orbitals[0] for w in wv[1:]))])
        for x in range(3):
            out[x] -= np.einsum("mg,mg->m", values[1 + x], b[0])
            for k in range(3):
                out[x] -= np.einsum("mg,mg->m", values[second[x, k]], b[1 + k])
    return 4.0 * out.T


def fitted_gradient(
    fit: df.DF, density: np.ndarray, occupied: np.ndarray, coulomb: float, exchange: float
) -> np.ndarray:
    """(n_atom, 3) derivative of the density-fitted Coulomb and exchange energy.

    E = c/2 d V^-1 d - x sum_ij (ij|P) V^-1_PQ (Q|ij) with d_P = (P|mn) D_mn, so
    dE = Gamma_Pmn d(P|mn) - 1/2 M_PQ dV_PQ. The derivative on an auxiliary function is minus
    that on the pair (translation), so one kind of three-center derivative suffices.

    Parameters
    ----------
    fit : df.DF
    density : (n_ao, n_ao) array
        D.
    occupied : (n_ao, n_occ) array
        Orthonormal orbitals behind it.
    coulomb, exchange : float
        c and x.
    """
    mol, auxiliary = fit.mol, fit.auxmol
    n_occ = occupied.shape[1]
    pairs = _three_center(mol, auxiliary, occupied)
    b = _solve(auxiliary.intor("int2c2e"), pairs.reshape(auxiliary.nao, -1))
    fitted = 2.0 * np.einsum("Pii->P", b.reshape(-1, n_occ, n_occ))
    m = coulomb * np.outer(fitted, fitted) - 2.0 * exchange * (b @ b.T)
    on_auxiliary = np.einsum("xPQ,PQ->Px", auxiliary.intor("int2c2e_ip1"), m, optimize=True)
    on_function = np.zeros((mol.nao, 3))
    first = 0
    for integrals in _blocks(mol, auxiliary):
        part = slice(first, first + integrals.shape[1])
        first = part.stop
        gamma = coulomb * fitted[part, None, None] * density
        half = b[part].reshape(-1, n_occ, n_occ) @ occupied.T
        gamma -= 2.0 * exchange * (occupied @ half)
        for x, component in enumerate(integrals):
            both = np.einsum("Pnm,Pmn->Pm", component, gamma)
            on_function[:, x] -= 2.0 * both.sum(axis=0)
            on_auxiliary[part, x] += 2.0 * both.sum(axis=1)
    return _per_atom(mol, on_function) + _per_atom(auxiliary, on_auxiliary)


def _solve(metric: np.ndarray, right: np.ndarray) -> np.ndarray:
    """V^-1 x; without the null space when V, as the long-range one often is, is singular."""
    try:
        return np.asarray(cho_solve(cho_factor(metric, lower=True), right))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(metric)
        vectors = vectors[:, values > LINEAR_DEP_THR]
        return np.asarray(vectors @ ((vectors.T @ right) / values[values > LINEAR_DEP_THR, None]))


def _blocks(mol: gto.Mole, auxiliary: gto.Mole) -> Iterator[np.ndarray]:
    """Integrals (m n|P) with m differentiated, as (component, P, n, m), a few P at a time."""
    both = mol + auxiliary
    name = "int3c2e_ip1_cart" if both.cart else "int3c2e_ip1_sph"
    at = both._atm, both._bas, both._env
    optimiser = gto.moleintor.make_cintopt(*at, name)
    offset = auxiliary.ao_loc
    start = 0
    while start < auxiliary.nbas:
        stop = max(start + 1, int(np.searchsorted(offset, offset[start] + AUXILIARY_BLOCK)) - 1)
        shells = (0, mol.nbas, 0, mol.nbas, mol.nbas + start, mol.nbas + stop)
        out = gto.moleintor.getints3c(
            name, *at, shls_slice=shells, comp=3, aosym="s1", cintopt=optimiser
        )
        yield out.transpose(0, 3, 2, 1)
        start = stop


def _three_center(mol: gto.Mole, auxiliary: gto.Mole, occupied: np.ndarray) -> np.ndarray:
    """(n_aux, n_occ, n_occ) integrals (P|ij)."""
    packed = df.incore.aux_e2(mol, auxiliary, "int3c2e", aosym="s2ij").T
    return np.stack([occupied.T @ (lib.unpack_tril(row) @ occupied) for row in packed])
