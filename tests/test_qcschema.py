"""QCSchema in and out, through QCEngine."""

import numpy as np
import pytest
from ase.build import molecule
from tiny import write_tiny_parameters

import mlsemi
from mlsemi.units import BOHR_ANGSTROM

qcengine = pytest.importorskip("qcengine")
qcschema = pytest.importorskip("mlsemi.qcschema")
v2 = pytest.importorskip("qcelemental.models.v2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    qcschema.register()
    qcschema.register()
    return write_tiny_parameters(tmp_path_factory.mktemp("parameters") / "tiny")


def asked(folder, driver, name="H2CO", keywords=None, **electrons):
    atoms = molecule(name)
    return v2.AtomicInput(
        molecule={
            "symbols": atoms.get_chemical_symbols(),
            "geometry": atoms.positions / BOHR_ANGSTROM,
            "fix_com": True,
            "fix_orientation": True,
            **electrons,
        },
        specification={
            "driver": driver,
            "model": {"method": str(folder)},
            "keywords": keywords or {},
        },
    )


def of(folder, *given, **electrons):
    return qcengine.compute(asked(folder, *given, **electrons), "mlsemi", raise_error=True)


def test_energy_and_gradient_are_those_of_a_single_point(folder):
    known = mlsemi.singlepoint(molecule("H2CO"), parameters=folder, forces=True)
    energy, gradient = of(folder, "energy"), of(folder, "gradient")
    assert energy.success
    assert energy.return_result == pytest.approx(known.energy, abs=1e-8)
    assert np.abs(gradient.return_result + known.forces).max() < 1e-8
    assert np.abs(known.forces).max() > 1e-3
    found = gradient.properties
    assert found.return_energy == pytest.approx(known.energy, abs=1e-8)
    assert np.abs(found.scf_dipole_moment - known.dipole).max() < 1e-8
    assert (found.calcinfo_natom, found.calcinfo_nalpha, found.calcinfo_nbeta) == (4, 6, 6)
    assert gradient.provenance.creator == "mlsemi"
    assert gradient.extras["mlsemi"]["warnings"] == list(known.warnings)


def test_a_hessian_is_the_derivative_of_the_gradient(folder):
    hessian = of(folder, "hessian", "H2O").return_result
    step = np.zeros((3, 3))
    step[1, 2] = 1e-3
    sides = []
    for sign in (1.0, -1.0):
        moved = molecule("H2O")
        moved.positions += sign * step * BOHR_ANGSTROM
        sides.append(-mlsemi.singlepoint(moved, parameters=folder, forces=True).forces.ravel())
    row = (sides[0] - sides[1]) / 2e-3
    assert np.abs(row).max() > 1e-3
    assert np.abs(hessian[5] - row).max() < 1e-6
    assert np.array_equal(hessian, hessian.T)


def test_charge_spin_keywords_and_properties(folder):
    ion = of(
        folder, "properties", "H2CO", {"solvent": "water"},
        molecular_charge=1, molecular_multiplicity=2,
    )  # fmt: skip
    known = mlsemi.singlepoint(
        molecule("H2CO"), charge=1, multiplicity=2, parameters=folder, solvent="water"
    )
    assert np.abs(ion.return_result["charges"] - known.charges).max() < 1e-8
    assert ion.extras["mlsemi"]["structure"]["multiplicity"] == 2
    assert ion.stdout
    excited = of(folder, "energy", "H2CO", {"singlets": 2})
    assert len(excited.extras["mlsemi"]["excitations"]["singlets"]) == 2


def test_the_first_version_of_the_schema(folder):
    given = asked(folder, "energy").convert_v(1)
    assert given.schema_version == 1
    found = qcengine.compute(given, "mlsemi", raise_error=True)
    assert found.schema_version == 1
    assert found.return_result == pytest.approx(of(folder, "energy").return_result, abs=1e-12)


def test_what_cannot_be_computed_is_one_line(folder):
    ghost = asked(folder, "energy", real=[True, True, True, False])
    basis = asked(folder, "energy").model_dump()
    basis["specification"]["model"]["basis"] = "def2-svp"
    for given, text in (
        (asked(folder, "energy", keywords={"single": 2}), "no keyword single"),
        (asked(folder, "energy", keywords={"method": "full"}), "no keyword method"),
        (asked(folder, "hessian", keywords={"singlets": 2}), "a Hessian takes no keyword singlets"),
        (asked(folder, "gradient", "CH3", molecular_multiplicity=2), "odd number of electrons"),
        (ghost, "atom 3 is a ghost"),
        (basis, "give no basis"),
    ):
        found = qcengine.compute(given, "mlsemi")
        assert not found.success
        assert found.error.error_type == "input_error"
        assert text in found.error.error_message
