"""Excited states of open shells: equal spins are the closed shell, and everything is loops."""

import json
import re
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import write
from huckel import distorted
from test_excitations import CORRECTED, FULL, PLAIN, davidson_only, four_index
from typer.testing import CliRunner

from mlsemi.cli import app
from mlsemi.errors import InputError
from mlsemi.evaluate import singlepoint
from mlsemi.excited.excitations import excite
from mlsemi.excited.intensities import intensities
from mlsemi.excited.unrestricted import (
    SpinOrbitals,
    UnrestrictedTammDancoff,
    excite_unrestricted,
    spins_squared,
)
from mlsemi.orbitals.eigen import solve
from mlsemi.response.solvated_excitations import SolvatedExcitations
from mlsemi.units import HARTREE_EV


@pytest.fixture(scope="module")
def formaldehyde():
    return distorted("H2CO")


@pytest.fixture(scope="module")
def spins(formaldehyde):
    """Alpha and beta orbitals of different Hamiltonians and numbers."""
    H, n = formaldehyde.hamiltonian, formaldehyde.structure.n_electron
    random = np.random.default_rng(3)
    noise = 0.05 * random.normal(size=(2, *H.shape))
    return solve(H + noise[0] + noise[0].T, n), solve(H + noise[1] + noise[1].T, n - 2)


@pytest.mark.parametrize("parameters", [PLAIN, FULL, CORRECTED])
def test_equal_spins_give_singlets_and_triplets(formaldehyde, parameters):
    state, between = formaldehyde.state, formaldehyde.interaction(parameters)
    parts = [excite(state, between, 100, name) for name in ("singlet", "triplet")]
    found = excite_unrestricted(state, state, between, 200)
    expected = np.concatenate([part.energies for part in parts])
    spin = np.repeat([0.0, 2.0], [part.n_state for part in parts])
    order = np.argsort(expected)
    np.testing.assert_allclose(found.energies, expected[order], atol=1e-10)
    np.testing.assert_allclose(found.s_squared, spin[order], atol=1e-8)


def test_equal_spins_shine_like_singlets(formaldehyde):
    state, between = formaldehyde.state, formaldehyde.interaction(FULL)
    singlets = excite(state, between, 100)
    bright = intensities(singlets, state.orbitals, *formaldehyde.operators())
    found = excite_unrestricted(state, state, between, 200)
    both = SpinOrbitals.of(state, state)
    lines = intensities(found, both.orbitals, *formaldehyde.operators())
    pure = lines.s_squared < 1.0
    for name in ("oscillator_strengths", "rotatory_strengths", "velocity_strengths"):
        expected = getattr(bright, name)
        size = np.abs(expected).max()
        assert size > 1e-5
        np.testing.assert_allclose(getattr(lines, name)[pure] / size, expected / size, atol=1e-8)
        np.testing.assert_allclose(getattr(lines, name)[~pure] / size, 0.0, atol=1e-8)


def naive_matrix(spins, between):
    """theory eq 9c with every loop written out."""
    exchange = four_index(between, between.gamma_k, 1.0)
    coulomb = four_index(between, between.gamma_j, between.scalars.ax_one_center)
    pairs = [
        (s, i, a)
        for s, state in enumerate(spins)
        for i, a in product(range(state.n_occupied), range(state.n_occupied, state.energies.size))
    ]
    A = np.zeros((len(pairs), len(pairs)))
    for (k, (s, i, a)), (l, (t, j, b)) in product(enumerate(pairs), repeat=2):
        C, D = spins[s].orbitals, spins[t].orbitals
        A[k, l] = np.einsum("mnls,m,n,l,s", exchange, C[:, i], C[:, a], D[:, j], D[:, b])
        if s == t:
            A[k, l] -= np.einsum("mnls,m,n,l,s", coulomb, C[:, i], C[:, j], C[:, a], C[:, b])
        if k == l:
            A[k, l] += spins[s].energies[a] - spins[s].energies[i]
    return A


def test_matrix_products_and_roots_equal_the_loops(formaldehyde, spins, monkeypatch):
    between = formaldehyde.interaction(FULL)
    A = naive_matrix(spins, between)
    problem = UnrestrictedTammDancoff(*spins, between)
    every = np.arange(len(A))
    np.testing.assert_allclose(problem.couplings(every) + np.diag(problem.gaps), A, atol=1e-12)
    some = np.random.default_rng(0).permutation(len(A))[:20]
    np.testing.assert_allclose(
        problem.couplings(some), (A - np.diag(problem.gaps))[np.ix_(some, some)], atol=1e-12
    )
    np.testing.assert_allclose(problem.apply(np.eye(len(A))), A, atol=1e-12)
    single = problem.in_single_precision()(np.eye(len(A), dtype=np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, A, atol=1e-5)
    exact = np.linalg.eigvalsh(A)
    np.testing.assert_allclose(
        excite_unrestricted(*spins, between, 8).energies, exact[:8], atol=1e-10
    )
    davidson_only(monkeypatch)
    found = excite_unrestricted(*spins, between, 8, tolerance=1e-7)
    np.testing.assert_allclose(found.energies, exact[:8], atol=1e-10)
    bound = 0.5 * (exact[5] + exact[6])
    assert excite_unrestricted(*spins, between, None, bound).n_state == 6


def determinants(n_orbital, n_electron):
    return list(combinations(range(n_orbital), n_electron))


def test_spin_is_that_of_the_wave_function():
    """<S^2> of every state of a small shell, by S_+ on all determinants of common orbitals."""
    random = np.random.default_rng(7)
    n, n_a, n_b = 4, 2, 1
    alpha, beta = (
        solve(h + h.T, 2 * m)
        for h, m in zip(random.normal(size=(2, n, n)), (n_a, n_b), strict=True)
    )
    both = SpinOrbitals.of(alpha, beta)
    sizes = (n_a * (n - n_a), n_b * (n - n_b))
    vector = random.normal(size=sum(sizes))
    vector /= np.linalg.norm(vector)
    X = np.zeros((1, n_a + n_b, 2 * n - n_a - n_b))
    X[0, :n_a, : n - n_a] = vector[: sizes[0]].reshape(n_a, n - n_a)
    X[0, n_a:, n - n_a :] = vector[sizes[0] :].reshape(n_b, n - n_b)

    def wave(columns_a, columns_b):
        """Coefficients over pairs of determinants of common functions."""
        return np.array(
            [
                [np.linalg.det(columns_a[list(p)]) * np.linalg.det(columns_b[list(q)])
                 for q in determinants(n, n_b)]
                for p in determinants(n, n_a)
            ]
        )  # fmt: skip

    state = np.zeros((6, 4))
    for i, a in product(range(n_a), range(n - n_a)):
        moved = alpha.orbitals[:, :n_a].copy()
        moved[:, i] = alpha.orbitals[:, n_a + a]
        state += X[0, i, a] * wave(moved, beta.orbitals[:, :n_b])
    for i, a in product(range(n_b), range(n - n_b)):
        moved = beta.orbitals[:, :n_b].copy()
        moved[:, i] = beta.orbitals[:, n_b + a]
        state += X[0, n_a + i, n - n_a + a] * wave(alpha.orbitals[:, :n_a], moved)
    assert np.sum(state**2) == pytest.approx(1.0)
    raised = np.zeros((len(determinants(n, n_a + 1)), len(determinants(n, n_b - 1))))
    for (p, above), (q, below) in product(
        enumerate(determinants(n, n_a + 1)), enumerate(determinants(n, n_b - 1))
    ):
        for r in range(n):
            if r in above and r not in below:
                start_a = tuple(k for k in above if k != r)
                start_b = tuple(sorted((*below, r)))
                sign = (-1) ** (above.index(r) + start_b.index(r))
                raised[p, q] += (
                    sign
                    * state[
                        determinants(n, n_a).index(start_a), determinants(n, n_b).index(start_b)
                    ]
                )
    s_z = 0.5 * (n_a - n_b)
    expected = s_z * (s_z + 1.0) + np.sum(raised**2)
    assert spins_squared(X, both)[0] == pytest.approx(expected, abs=1e-10)
    assert expected > 0.8


def test_shared_levels_are_refused(formaldehyde, spins):
    alpha, beta = spins
    hot = replace(beta, kt=0.5)
    with pytest.raises(InputError, match="beta electrons is degenerate"):
        excite_unrestricted(alpha, hot, formaldehyde.interaction(FULL), 3)


ALLYL = Atoms(
    "C3H5",
    [
        (-1.2247, -0.1997, 0.0), (0.0, 0.4346, 0.0), (1.2247, -0.1997, 0.0),
        (-1.2857, -1.2843, 0.0), (1.2857, -1.2843, 0.0), (0.0, 1.5231, 0.0),
        (-2.1549, 0.3559, 0.0), (2.1549, 0.3559, 0.0),
    ],
)  # fmt: skip


def test_allyl_has_the_states_of_allyl():
    """3.1 eV weak and 5.0 eV strong are measured (CAM-B3LYP: 3.4 and 5.9)."""
    result = singlepoint(ALLYL, multiplicity=2, doublets=8)
    states = result.doublets
    bright = int(np.argmax(states.oscillator_strengths))
    energies = states.energies * HARTREE_EV
    assert 2.9 < energies[0] < 3.8
    assert states.oscillator_strengths[0] < 0.02
    assert 4.7 < energies[bright] < 6.6
    assert states.oscillator_strengths[bright] > 0.3
    labels = result.analysis(states).labels
    assert labels[0] == labels[bright] == "pi-pi*"
    assert "8 doublets" in repr(result)
    entry = json.loads(json.dumps(result.to_dict()))["excitations"]["doublets"][0]
    assert entry["s2"] == pytest.approx(0.76, abs=0.05)
    ends = {(c["spin"], c["from"], c["to"]) for c in entry["contributions"][:2]}
    homo, beta = result.state.n_occupied - 1, result.beta.n_occupied - 1
    assert ends == {("alpha", homo, homo + 1), ("beta", beta, beta + 1)}
    assert result.absorbing is states
    assert result.plot().axes


def test_terms_of_a_solvent_are_sums_over_the_spins():
    """Charges of transitions and states of allyl, every loop written out."""
    result = singlepoint(ALLYL, multiplicity=2, doublets=4, solvent="water")
    states, atom = result.doublets, result.basis.orbital_atom
    solvated = SolvatedExcitations.of(result.response.embedding)
    for k in range(states.n_state):
        transition, change = np.zeros((2, result.structure.n_atom))
        n, m = states.n_alpha
        for spin, X in ((result.state, states.amplitudes[k, :n, :m]),
                        (result.beta, states.amplitudes[k, n:, m:])):  # fmt: skip
            C, occ = spin.orbitals, spin.n_occupied
            T = C[:, :occ] @ X @ C[:, occ:].T
            np.add.at(transition, atom, np.diag(T))
            np.add.at(change, atom, (T**2).sum(axis=1) - (T**2).sum(axis=0))
        linear = transition @ solvated.fast @ transition
        assert states.solvent.linear_response[k] == pytest.approx(linear, abs=1e-12)
        specific = 0.5 * change @ solvated.fast @ change
        assert states.solvent.state_specific[k] == pytest.approx(specific, abs=1e-9)
    assert np.abs(states.solvent.linear_response).max() > 1e-5
    shift = states.solvent.shift[0] * HARTREE_EV
    assert abs(shift) < 0.1


def test_every_state_up_to_an_energy():
    many = singlepoint(ALLYL, multiplicity=2, doublets=12).doublets
    bound = 0.5 * (many.energies[8] + many.energies[9])
    found = singlepoint(ALLYL, multiplicity=2, max_energy=float(bound)).doublets
    np.testing.assert_allclose(found.energies, many.energies[:9], atol=1e-8)


def test_one_electron_has_no_excited_state():
    result = singlepoint(Atoms("H"), doublets=2)
    assert result.doublets.n_state == 0
    assert "only 0 doublets exist" in result.warnings[-1]
    assert result.to_dict()["excitations"]["doublets"] == []


def test_degenerate_shells_are_refused():
    with pytest.raises(InputError, match="not full"):
        singlepoint(molecule("C6H6"), charge=1, doublets=1)


def test_spectrum_of_closed_shells_and_radicals(tmp_path):
    """One command for both: each gets the states that light reaches."""
    path = tmp_path / "both.xyz"
    write(path, [molecule("H2CO"), molecule("H2CO")], format="extxyz")
    text = path.read_text().replace("Properties", "charge=1 multiplicity=2 Properties", 1)
    path.write_text(text)
    arguments = ["spectrum", str(path), "--singlets", "3", "--json", "-"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.stderr
    radical, closed = map(json.loads, done.stdout.splitlines())
    assert list(radical["excitations"]) == ["doublets"]
    assert list(closed["excitations"]) == ["singlets"]
    assert len(radical["excitations"]["doublets"]) == 3
    assert radical["requested"]["doublets"] == 3
    assert "singlets" not in radical["requested"]
    shown = CliRunner().invoke(app, ["run", str(path), "--doublets", "2"])
    assert shown.exit_code == 1
    assert "frame 1: excited states at multiplicity 1" in shown.stderr
    table = CliRunner().invoke(
        app, ["run", "example:formaldehyde", "--charge", "1", "--doublets", "2"]
    )
    assert "<S2>" in table.stdout
    assert re.search(r"D1 .*(alpha|beta) HOMO", table.stdout)
