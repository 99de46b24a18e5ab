import itertools

import numpy as np
import pytest
from huckel import distorted, huckel, named
from scipy.spatial.transform import Rotation

from mlsemi.errors import ConvergenceError, InputError, ParameterError
from mlsemi.excited import interaction, tamm_dancoff
from mlsemi.excited.constants import ExcitationParameters
from mlsemi.excited.excitations import build_interaction, excite
from mlsemi.excited.intensities import intensities
from mlsemi.excited.interaction import interaction_matrix, respond
from mlsemi.molecule.structure import Structure
from mlsemi.orbitals.eigen import ElectronicState, solve
from mlsemi.units import HARTREE_EV

PLAIN = ExcitationParameters().without_exchange()
FULL = ExcitationParameters()
CORRECTED = ExcitationParameters(ax_one_center=0.8, fock_near=0.15, fock_far=0.35)
MULTIPLICITIES = ["singlet", "triplet"]


def four_index(between, gamma, scale):
    """(mu nu|la si) in the Loewdin frame: charges plus the INDO one-center exchange integrals."""
    n = between.orbital_atom.size
    integral = np.zeros((n, n, n, n))
    for mu, la in itertools.product(range(n), repeat=2):
        a, b = between.orbital_atom[mu], between.orbital_atom[la]
        integral[mu, mu, la, la] = gamma[a, b]
    for a in range(between.n_atom):
        s, p = between.s_orbital[a], between.p_orbital[a]
        if p < 0:
            continue
        sp, pp = scale * between.exchange[a]
        for m in range(p, p + 3):
            for mu, nu, la, si in itertools.product((s, m), repeat=4):
                if mu != nu and la != si:
                    integral[mu, nu, la, si] += sp
            # <xx|xx> - <xx|yy> = 2 <xy|xy>: what makes a p shell isotropic (F2 of Slater-Condon)
            integral[m, m, m, m] += 4.0 / 3.0 * pp
            for n_ in range(p, p + 3):
                if n_ != m:
                    integral[m, m, n_, n_] -= 2.0 / 3.0 * pp
                    integral[m, n_, m, n_] += pp
                    integral[m, n_, n_, m] += pp
    return integral


def naive_matrix(state, between, multiplicity):
    """theory eq 9 with every loop written out."""
    C, n = state.orbitals, state.n_occupied
    exchange = four_index(between, between.gamma_k, 1.0)
    coulomb = four_index(between, between.gamma_j, between.scalars.ax_one_center)
    K = np.einsum("mnls,mi,na,lj,sb->iajb", exchange, C[:, :n], C[:, n:], C[:, :n], C[:, n:])
    J = np.einsum("mnls,mi,nj,la,sb->ijab", coulomb, C[:, :n], C[:, :n], C[:, n:], C[:, n:])
    pairs = list(itertools.product(range(n), range(C.shape[0] - n)))
    A = np.zeros((len(pairs), len(pairs)))
    for (k, (i, a)), (l, (j, b)) in itertools.product(enumerate(pairs), repeat=2):
        A[k, l] = (2.0 if multiplicity == "singlet" else 0.0) * K[i, a, j, b] - J[i, j, a, b]
        if k == l:
            A[k, l] += state.energies[n + a] - state.energies[i]
    return A


@pytest.fixture(scope="module")
def formaldehyde():
    return distorted("H2CO")


@pytest.fixture(scope="module")
def pyridine():
    return distorted("C5H5N")


def davidson_only(monkeypatch):
    monkeypatch.setattr(tamm_dancoff, "DENSE_LIMIT", 0)
    monkeypatch.setattr(tamm_dancoff, "DENSE_SHARE", 2.0)
    monkeypatch.setattr(tamm_dancoff, "MODEL_MINIMUM", 0)


@pytest.mark.parametrize("parameters", [PLAIN, FULL])
@pytest.mark.parametrize("multiplicity", MULTIPLICITIES)
def test_matrix_and_products_equal_the_four_index_loops(formaldehyde, parameters, multiplicity):
    between = formaldehyde.interaction(parameters)
    state = formaldehyde.state
    A = naive_matrix(state, between, multiplicity)
    occ = np.ascontiguousarray(state.orbitals[:, : state.n_occupied])
    vir = np.ascontiguousarray(state.orbitals[:, state.n_occupied :])
    factor = 2.0 if multiplicity == "singlet" else 0.0
    gaps = state.energies[None, state.n_occupied :] - state.energies[: state.n_occupied, None]
    every = np.divmod(np.arange(A.shape[0]), vir.shape[1])
    dense = interaction_matrix(between, occ, vir, every, factor) + np.diag(gaps.ravel())
    unit = np.eye(A.shape[0]).reshape(-1, occ.shape[1], vir.shape[1])
    product = respond(between, occ, vir, unit, factor).reshape(A.shape) + np.diag(gaps.ravel())
    np.testing.assert_allclose(dense, A, atol=1e-12)
    np.testing.assert_allclose(product, A, atol=1e-12)
    energies = excite(state, between, A.shape[0], multiplicity).energies
    np.testing.assert_allclose(energies, np.linalg.eigvalsh(A), atol=1e-10)


@pytest.mark.parametrize("multiplicity", MULTIPLICITIES)
def test_missing_exchange_enters_the_fock_blocks(formaldehyde, multiplicity):
    """theory eq 9a with every loop written out; amplitudes refer to the orbitals of the state."""
    between, state = formaldehyde.interaction(CORRECTED), formaldehyde.state
    C, n, P = state.orbitals, state.n_occupied, state.density
    scalars, x, atom = between.scalars, between.positions, between.orbital_atom
    D = np.zeros_like(P)
    for m, k in np.ndindex(P.shape):
        a, b = atom[m], atom[k]
        r = np.linalg.norm(x[a] - x[b])
        eta = 0.5 * (between.hardness[a] + between.hardness[b])
        fraction = scalars.fock_far + (scalars.fock_near - scalars.fock_far) * np.exp(-r / 3.0)
        D[m, k] = -0.5 * P[m, k] * fraction / np.sqrt(r**2 + eta**-2)
    occ, vir = C[:, :n].T @ D @ C[:, :n], C[:, n:].T @ D @ C[:, n:]
    A = naive_matrix(state, between, multiplicity)
    A += np.kron(np.eye(n), vir) - np.kron(occ, np.eye(C.shape[0] - n))
    values, vectors = np.linalg.eigh(A)
    found = excite(state, between, 6, multiplicity)
    np.testing.assert_allclose(found.energies, values[:6], atol=1e-10)
    overlap = np.einsum("kx,xk->k", found.amplitudes.reshape(6, -1), vectors[:, :6])
    np.testing.assert_allclose(np.abs(overlap), 1.0, atol=1e-9)
    assert (
        np.abs(values - np.linalg.eigvalsh(naive_matrix(state, between, multiplicity))).max() > 0.01
    )


@pytest.mark.parametrize("multiplicity", MULTIPLICITIES)
def test_davidson_finds_the_dense_roots(pyridine, monkeypatch, multiplicity):
    between = pyridine.interaction()
    dense = excite(pyridine.state, between, 400, multiplicity)
    davidson_only(monkeypatch)
    found = excite(pyridine.state, between, 15, multiplicity)
    assert np.abs(found.energies - dense.energies[:15]).max() < 1e-8
    overlap = np.einsum("kia,kia->k", found.amplitudes, dense.amplitudes[:15])
    np.testing.assert_allclose(overlap, 1.0, atol=1e-6)
    tight = excite(pyridine.state, between, 15, multiplicity, tolerance=1e-9)
    np.testing.assert_allclose(tight.energies, dense.energies[:15], atol=1e-13)


@pytest.mark.parametrize("factor", [0.0, 2.0])
def test_diagonal_in_parts(pyridine, monkeypatch, factor):
    """One occupied orbital at a time gives the same numbers as all at once."""
    state, between = pyridine.state, pyridine.interaction()
    orbitals = state.orbitals[:, : state.n_occupied], state.orbitals[:, state.n_occupied :]
    whole = interaction.diagonal(between, *orbitals, factor)
    monkeypatch.setattr(interaction, "CACHE_BYTES", 1)
    np.testing.assert_allclose(interaction.diagonal(between, *orbitals, factor), whole, atol=1e-14)
    assert np.abs(whole).min() > 1e-3


def test_more_roots_leave_the_lower_ones_where_they_are(monkeypatch):
    """Benzene: degenerate roots, also cut by the number asked for."""
    davidson_only(monkeypatch)
    benzene = named("C6H6")
    between = benzene.interaction()
    for multiplicity in MULTIPLICITIES:
        most = excite(benzene.state, between, 30, multiplicity).energies * HARTREE_EV
        assert (np.diff(most[:10]) < 1e-4).any()
        for n in range(1, 20):
            fewer = excite(benzene.state, between, n, multiplicity).energies * HARTREE_EV
            assert fewer.size == n
            assert np.abs(fewer - most[:n]).max() < 1e-6


def test_degenerate_orbitals_may_be_rotated(monkeypatch):
    davidson_only(monkeypatch)
    benzene = named("C6H6")
    state, n = benzene.state, benzene.state.n_occupied
    assert state.energies[n - 1] - state.energies[n - 2] < 1e-3
    C = state.orbitals.copy()
    C[:, n - 2 : n] = C[:, n - 2 : n] @ np.array([[0.6, -0.8], [0.8, 0.6]])
    energies = state.energies.copy()
    energies[n - 2 : n] = energies[n - 2 : n].mean()
    level = ElectronicState(energies, state.orbitals, n)
    turned = ElectronicState(energies, C, n)
    between = benzene.interaction()
    one, two = (excite(s, between, 8).energies for s in (level, turned))
    np.testing.assert_allclose(one, two, atol=1e-8)


def test_states_below_an_energy(pyridine, monkeypatch):
    between = pyridine.interaction()
    every = excite(pyridine.state, between, 400)
    bound = 0.5 * (every.energies[17] + every.energies[18])
    assert excite(pyridine.state, between, None, max_energy=bound).n_state == 18
    assert excite(pyridine.state, between, 5, max_energy=bound).n_state == 5
    assert excite(pyridine.state, between, None, max_energy=0.01).n_state == 0
    davidson_only(monkeypatch)
    found = excite(pyridine.state, between, None, max_energy=bound)
    np.testing.assert_allclose(found.energies, every.energies[:18], atol=1e-8)
    assert excite(pyridine.state, between, None, max_energy=99.0).n_state == 210


def test_rotation_translation_permutation():
    formaldehyde = distorted("H2CO", amplitude=0.3)
    structure, n = formaldehyde.structure, 12
    turn = Rotation.from_euler("zyx", [0.4, -1.1, 2.0]).as_matrix()
    order = np.array([2, 0, 3, 1])
    moved = huckel(
        Structure(structure.numbers[order], structure.positions[order] @ turn.T + [3, -2, 1])
    )
    for multiplicity in MULTIPLICITIES:
        one, two = (
            intensities(
                excite(m.state, m.interaction(), n, multiplicity),
                m.state.orbitals,
                *m.operators(),
            )
            for m in (formaldehyde, moved)
        )
        np.testing.assert_allclose(one.energies, two.energies, atol=1e-11)
        np.testing.assert_allclose(one.oscillator_strengths, two.oscillator_strengths, atol=1e-9)
        np.testing.assert_allclose(one.rotatory_strengths, two.rotatory_strengths, atol=1e-11)
        np.testing.assert_allclose(one.rotatory_lengths, two.rotatory_lengths, atol=1e-10)
    mirrored = huckel(Structure(structure.numbers, structure.positions * [1, 1, -1]))
    one, two = (
        intensities(excite(m.state, m.interaction(), n), m.state.orbitals, *m.operators())
        for m in (formaldehyde, mirrored)
    )
    assert np.abs(one.rotatory_strengths).max() > 1e-4
    np.testing.assert_allclose(one.rotatory_strengths, -two.rotatory_strengths, atol=1e-11)


def test_a_factor_of_the_moments_scales_all_strengths_by_its_square():
    m = distorted("H2CO", amplitude=0.3)
    states = excite(m.state, m.interaction(), 6)
    one, two = (intensities(states, m.state.orbitals, *m.operators(), c) for c in (1.0, 0.8))
    np.testing.assert_allclose(two.transition_dipoles, 0.8 * one.transition_dipoles, rtol=1e-12)
    for name in (
        "oscillator_strengths", "velocity_strengths", "rotatory_strengths", "rotatory_lengths"
    ):  # fmt: skip
        np.testing.assert_allclose(getattr(two, name), 0.64 * getattr(one, name), rtol=1e-12)


def test_far_fragments_keep_their_local_states():
    water, ammonia = distorted("H2O").structure, distorted("NH3").structure
    pair = huckel(
        Structure(
            np.concatenate([water.numbers, ammonia.numbers]),
            np.concatenate([water.positions, ammonia.positions + np.array([0, 0, 2e4])]),
        )
    )
    for multiplicity in MULTIPLICITIES:
        every = excite(pair.state, pair.interaction(), 1000, multiplicity).energies
        for part in (huckel(water), huckel(ammonia)):
            local = excite(part.state, part.interaction(), 1000, multiplicity).energies
            assert np.abs(every[:, None] - local[None, :]).min(axis=0).max() < 1e-7


def test_one_center_exchange_splits_n_pi_star():
    """HOMO (n) -> LUMO (pi*) of planar formaldehyde: the charges of q_ia vanish by symmetry."""
    molecule = named("H2CO")
    gaps = {}
    for name, parameters in (("plain", PLAIN), ("full", FULL)):
        between = molecule.interaction(parameters)
        singlet, triplet = (
            excite(molecule.state, between, 1, m).energies[0] for m in MULTIPLICITIES
        )
        gaps[name] = (singlet - triplet) * HARTREE_EV
    assert abs(gaps["plain"]) < 1e-9
    assert 0.2 < gaps["full"] < 1.5


def test_records(pyridine):
    states = excite(pyridine.state, pyridine.interaction(), 6)
    assert (np.diff(states.energies) >= 0.0).all()
    everything = states.contributions(2, threshold=0.0)
    assert sum(weight for _, _, weight in everything) == pytest.approx(1.0)
    start, end, weight = states.contributions(2)[0]
    n = pyridine.state.n_occupied
    assert states.amplitudes[2, start, end - n] ** 2 == pytest.approx(weight)
    assert states.amplitudes[2, start, end - n] > 0.0
    weights, holes, particles = states.natural_orbitals(2, pyridine.state)
    assert weights.sum() == pytest.approx(1.0)
    rebuilt = (holes * np.sqrt(weights)) @ particles.T
    C = pyridine.state.orbitals
    np.testing.assert_allclose(rebuilt, C[:, :n] @ states.amplitudes[2] @ C[:, n:].T, atol=1e-12)


def test_same_input_gives_the_same_bits(pyridine, monkeypatch):
    davidson_only(monkeypatch)
    one, two = (excite(pyridine.state, pyridine.interaction(), 6) for _ in range(2))
    assert np.array_equal(one.amplitudes, two.amplitudes)


def test_what_cannot_be_asked(formaldehyde):
    between, state = formaldehyde.interaction(), formaldehyde.state
    with pytest.raises(InputError, match="not one of singlet, triplet"):
        excite(state, between, 1, "quintet")
    with pytest.raises(InputError, match="number of excited states or"):
        excite(state, between, None)
    with pytest.raises(InputError, match="negative"):
        excite(state, between, -1)
    with pytest.raises(ParameterError, match="no hardness for element O"):
        ExcitationParameters(hardness={1: 0.5, 6: 0.4}).hardness_of([6, 8])
    with pytest.raises(ParameterError, match="positive"):
        ExcitationParameters(ax=0.0)
    assert excite(state, between, 0).n_state == 0
    full = ElectronicState(state.energies, state.orbitals, state.energies.size)
    assert excite(full, between, 3, max_energy=1.0).n_state == 0


def test_no_convergence_is_an_error(pyridine, monkeypatch):
    davidson_only(monkeypatch)
    with pytest.raises(ConvergenceError, match="did not converge"):
        excite(pyridine.state, pyridine.interaction(), 5, tolerance=1e-18)


def test_default_constants():
    """Hartree values of the sources: eta(C) of the sTDA program, INDO's G1/3 and 3 F2/25 of O."""
    between = build_interaction([6, 8], [[0, 0, 0], [0, 0, 3.0]], [0, 1], [0, 0], FULL)
    assert between.gamma_k[0, 0] == pytest.approx(0.42195412)
    assert between.gamma_j[0, 0] == pytest.approx(0.2 * 0.42195412)
    mean = 0.5 * (0.42195412 + 0.58691863)
    a = 1.42 + 0.48 * 0.2
    assert between.gamma_k[0, 1] == pytest.approx((3.0**a + mean**-a) ** (-1 / a))
    np.testing.assert_allclose(between.exchange[1], [0.43423 / 3, 3 * 0.266415 / 25])
    assert ExcitationParameters.hybrid(0.2) == FULL


def helix(sense, n=40, shift=0.0):
    """Free electron on a right (+1) or left (-1) handed helix, on a grid of sites."""
    t = np.linspace(0.0, 2.0 * np.pi, n)
    sites = np.stack([np.cos(t) + shift, sense * np.sin(t), 0.4 * t], axis=1)
    H = -np.eye(n, k=1) - np.eye(n, k=-1)
    step = sites[None, :, :] - sites[:, None, :]
    velocity = -(H[:, :, None] * step).transpose(2, 0, 1)
    angular = -(H[:, :, None] * np.cross(sites[:, None, :], step)).transpose(2, 0, 1)
    dipole = np.array([np.diag(sites[:, x]) for x in range(3)])
    return sites, solve(H, 2), (dipole, velocity, angular)


def test_rotatory_strength_has_the_sign_of_the_helix():
    """Tinoco and Woody, J. Chem. Phys. 40, 160 (1964): right-handed helix, positive lowest band."""
    found = []
    for sense, shift in ((1.0, 0.0), (1.0, 7.0), (-1.0, 0.0)):
        sites, state, operators = helix(sense, shift=shift)
        n = len(sites)
        between = build_interaction([1] * n, sites, np.arange(n), np.zeros(n, int), PLAIN)
        states = excite(state, between, 1)
        states = intensities(states, state.orbitals, *operators, sites.mean(axis=0))
        found.append(states.rotatory_strengths[0])
    assert found[0] > 1e-3
    np.testing.assert_allclose(found[1:], [found[0], -found[0]], rtol=1e-9)


def test_intensities(formaldehyde):
    states = excite(formaldehyde.state, formaldehyde.interaction(), 10)
    r, v, _, _ = formaldehyde.operators()
    n, C = formaldehyde.state.n_occupied, formaldehyde.state.orbitals
    here, there = (
        intensities(states, formaldehyde.state.orbitals, *formaldehyde.operators(origin))
        for origin in ((0.0, 0.0, 0.0), (4.0, -3.0, 2.0))
    )
    mu = np.sqrt(2) * np.einsum("kia,mi,xmn,na->kx", states.amplitudes, C[:, :n], r, C[:, n:])
    np.testing.assert_allclose(here.transition_dipoles, mu, atol=1e-12)
    f = 2 / 3 * states.energies * (mu**2).sum(axis=1)
    np.testing.assert_allclose(here.oscillator_strengths, f, atol=1e-12)
    np.testing.assert_allclose(here.rotatory_strengths, there.rotatory_strengths, atol=1e-12)
    p = np.sqrt(2) * np.einsum("kia,mi,xmn,na->kx", states.amplitudes, C[:, :n], v, C[:, n:])
    f = 2 / 3 / states.energies * (p**2).sum(axis=1)
    np.testing.assert_allclose(here.velocity_strengths, f, atol=1e-12)
    assert np.abs(f).max() > 0.01
    # the length form of R depends on the origin by origin x p, unless it moves with the molecule
    moved = 0.5 * np.einsum("kx,kx->k", mu, np.cross([4.0, -3.0, 2.0], p))
    assert np.abs(moved).max() > 1e-3
    np.testing.assert_allclose(there.rotatory_lengths, here.rotatory_lengths - moved, atol=1e-12)
    dark = intensities(
        excite(formaldehyde.state, formaldehyde.interaction(), 3, "triplet"),
        formaldehyde.state.orbitals,
        *formaldehyde.operators(),
    )
    assert not dark.oscillator_strengths.any()
    assert not dark.transition_dipoles.any()
    assert v.shape == r.shape
