"""Full Tamm-Dancoff states of the reference: against PySCF's own solver, projected and stored."""

import numpy as np
import pytest
from ase.build import molecule
from molecules import distorted, random_model
from teacher import lesson

from mlsemi.errors import ConvergenceError, InputError
from mlsemi.molecule.structure import Structure
from mlsemi.training.data.dataset import ReferenceDataset, arrays_of, record_of
from mlsemi.units import HARTREE_EV

pytest.importorskip("pyscf")

from mlsemi.training.reference.calculation import Level, mean_field, reference_record
from mlsemi.training.reference.excitations import ReferenceResponse

FORMALDEHYDE = Structure.from_ase(molecule("H2CO"))
OPTIONAL = (
    "singlet_energies",
    "singlet_strengths",
    "singlet_dipoles",
    "singlet_transitions",
    "triplet_energies",
    "triplet_transitions",
)


@pytest.fixture(scope="module")
def record():
    level = Level(method="camb3lyp", basis="def2-svp", excitations=3)
    return reference_record(FORMALDEHYDE, "WSFSSNUMVMOOMR", "C=O", "given", level)


@pytest.mark.parametrize("method", ["camb3lyp", "b3lyp", "lda,vwn"])
def test_agrees_with_pyscf(method):
    solver, _ = mean_field(FORMALDEHYDE, Level(method=method, basis="sto-3g"))
    response = ReferenceResponse(solver, 0)
    for triplet in (False, True):
        check = solver.TDA().set(singlet=not triplet, nstates=6, conv_tol=1e-8)
        check.kernel()
        mine = response.solve(3, triplet)
        np.testing.assert_allclose(mine.energies, check.e[:3], atol=1e-5)
        norms = np.sum(mine.amplitudes**2, axis=(1, 2))
        np.testing.assert_allclose(norms, 1.0, atol=1e-8)


def test_matrix_is_symmetric():
    response = ReferenceResponse(mean_field(FORMALDEHYDE, Level(basis="sto-3g"))[0], 2)
    x, y = np.random.default_rng(3).normal(size=(2, response.gaps.size))
    for triplet in (False, True):
        image_x, image_y = response.apply(np.stack([x, y]), triplet)
        assert abs(y @ image_x) > 1e-3
        assert y @ image_x == pytest.approx(x @ image_y, rel=1e-5)


def test_other_functionals_are_refused():
    solver, _ = mean_field(FORMALDEHYDE, Level(method="tpss", basis="sto-3g"))
    with pytest.raises(InputError, match="'tpss'"):
        ReferenceResponse(solver, 2)


def test_formaldehyde(record):
    # n-pi*: dark, singlet above triplet, all of it in the valence frame
    triplet, singlet = record.triplet_energies[0], record.singlet_energies[0]
    assert 3.0 / HARTREE_EV < triplet < singlet < 4.3 / HARTREE_EV
    assert record.singlet_strengths[0] < 1e-6
    norms = np.sum(record.singlet_transitions**2, axis=(1, 2))
    assert norms[0] > 0.95
    assert (norms < 1.0).all()
    assert norms[1:].min() < 0.8
    strengths = 2 / 3 * record.singlet_energies * np.sum(record.singlet_dipoles**2, axis=1)
    np.testing.assert_allclose(record.singlet_strengths, strengths, rtol=1e-12)
    # the projected dipole of a valence state is nearly the whole one
    projected = np.sqrt(2.0) * np.einsum(
        "xmn,kmn->kx", record.dipole_matrix, record.singlet_transitions
    )
    np.testing.assert_allclose(projected[0], record.singlet_dipoles[0], atol=2e-2)


def test_records_with_and_without_excitations_share_a_file(record, tmp_path):
    plain = lesson(random_model(), distorted("HCN"), "plain")
    assert not set(OPTIONAL) & set(arrays_of(plain))
    ReferenceDataset((record, plain), {}).save(tmp_path / "both.h5")
    first, second = ReferenceDataset.load(tmp_path / "both.h5")
    for name in OPTIONAL:
        expected = getattr(record_of(arrays_of(record)), name)
        np.testing.assert_array_equal(getattr(first, name), expected)
        assert getattr(second, name) is None


def test_settings_without_excitations_are_those_of_older_campaigns():
    assert "excitations" not in Level().provenance()
    assert Level(excitations=3).provenance()["excitations"] == 3


def test_closed_shell_above_its_triplet_is_refused():
    level = Level(basis="sto-3g", excitations=1)
    with pytest.raises(ConvergenceError, match=r"not the ground state: a triplet at -\d"):
        reference_record(Structure.from_ase(molecule("O2")), "key", "O=O", "given", level)
