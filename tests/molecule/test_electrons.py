"""What Atoms say about charge and multiplicity, heard alike by every door."""

import json
import warnings

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ions import molfile_of, oxalate, pdb_of, xyz_of
from typer.testing import CliRunner

import mlsemi
from mlsemi.cli import app
from mlsemi.errors import InputError, InputWarning
from mlsemi.molecule.electrons import said_by, settle, silent
from mlsemi.molecule.formats import structure_of
from mlsemi.units import HARTREE_EV

pytestmark = pytest.mark.filterwarnings("ignore::mlsemi.errors.DomainWarning")


def with_charges(*charges, **info):
    atoms = oxalate(**info)
    atoms.set_initial_charges(charges)
    return atoms


def with_moments(moments):
    atoms = oxalate()
    atoms.set_initial_magnetic_moments(moments)
    return atoms


def with_calculator(**settings):
    atoms = oxalate()
    atoms.calc = SinglePointCalculator(atoms, charges=settings.pop("charges", None))
    atoms.calc.parameters.update(settings)
    return atoms


DIANIONS = {
    "info": oxalate(charge=-2),
    "float": oxalate(charge=-2.0),
    "numpy": oxalate(charge=np.int64(-2)),
    "array": oxalate(charge=np.array([-2])),
    "text": oxalate(charge="-2"),
    "sign behind": oxalate(charge="2-"),
    "total": oxalate(total_charge=-2),
    "capitals": oxalate(Charge=-2),
    "short": oxalate(q=-2),
    "flags": oxalate(**{"charge": True, "-2": True}),
    "pair": oxalate(**{"-2": True, "1": True}),
    "nested": oxalate(key_value_pairs={"charge": -2}),
    "closed": oxalate(charge=-2, spin=0, multiplicity=1),
    "initial charges": with_charges(0, 0, -1, 0, 0, -1),
    "partial charges": with_charges(0.7, 0.7, -0.85, -0.85, -0.85, -0.84),
    "both": with_charges(0, 0, -1, 0, 0, -1, charge=-2),
    "stored charges": with_calculator(charges=[0.6, 0.6, -0.8, -0.8, -0.8, -0.8]),
    "settings": with_calculator(charge=-2),
}


@pytest.mark.parametrize("name", DIANIONS)
def test_every_door_takes_the_charge_of_the_atoms(tiny, name):
    atoms = DIANIONS[name]
    expected = mlsemi.singlepoint(oxalate(), charge=-2, parameters=tiny)
    found = mlsemi.singlepoint(atoms, parameters=tiny)
    assert found.structure.charge == -2
    np.testing.assert_array_equal(found.state.energies, expected.state.energies)
    np.testing.assert_array_equal(found.charges, expected.charges)
    copy = atoms.copy()
    if name in ("stored charges", "settings"):  # of the calculator that is replaced
        copy.info["charge"] = -2
    copy.calc = mlsemi.MLSemi(tiny)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        np.testing.assert_allclose(copy.get_charges(), expected.charges)
    assert copy.get_charges().sum() == pytest.approx(-2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        copy.calc = mlsemi.MLSemi(tiny, charge=0)
        assert copy.get_charges().sum() == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("atoms", "reason"),
    [
        (oxalate(charge=0.5), "the charge 0.5 is not an integer .info"),
        (oxalate(charge="high"), "the charge high is not an integer"),
        (oxalate(charge=[-1, -1]), "is not an integer"),
        (oxalate(charge=float("nan")), "the charge nan is not an integer"),
        (oxalate(charge={"a": 1}), r"the charge \{'a': 1\} is not an integer"),
        (oxalate(charge=(-2, 1)), "is not an integer"),
        (oxalate(charge=2j), "is not an integer"),
        (oxalate(charge=-2, net_charge=0), r"is -2 \(info\['charge'\] = -2\) but 0 \(info\['net_"),
        (oxalate(multiplicity=2), "32 valence electrons at charge 0 do not have multiplicity 2"),
        (oxalate(charge=1, multiplicity=1), "31 valence electrons at charge 1 do not have mult"),
        (oxalate(multiplicity=1.5), "1.5 is no multiplicity"),
        (oxalate(multiplicity=0), "0 is no multiplicity"),
        (oxalate(spin=1), "a spin of 1 may be S, 2 S or a multiplicity"),
        (oxalate(spin=2), "a spin of 2 may be S, 2 S or a multiplicity"),
        (oxalate(multiplicity=3, uhf=0), "the multiplicity is 3 .* but 1 "),
        (with_charges(0.3, 0.0, 0.0, 0.0, 0.0, 0.0), "charge 0.30 is not an integer .the sum"),
    ],
)
def test_refusals_at_every_door(tiny, atoms, reason):
    with pytest.raises(InputError, match=reason):
        mlsemi.singlepoint(atoms, parameters=tiny)
    with pytest.raises(InputError, match=reason):
        mlsemi.MLSemi(tiny).get_property("charges", atoms)
    result = mlsemi.singlepoint(atoms, parameters=tiny, charge=0, multiplicity=1)
    assert result.structure.charge == 0
    assert any("given" in text for text in result.warnings)


TRIPLETS = {
    "info": oxalate(multiplicity=3),
    "unpaired": oxalate(uhf=2),
    "word": oxalate(spin="triplet"),
    "array": oxalate(spin_multiplicity=np.array([3])),
    "moments": with_moments([1, 1, 0, 0, 0, 0]),
    "vectors": with_moments([[0, 0, 2]] + [[0, 0, 0]] * 5),
    "settings": with_calculator(multiplicity=3),
    "said twice": oxalate(multiplicity=3, uhf=2, charge=0),
}


@pytest.mark.parametrize("name", TRIPLETS)
def test_every_door_takes_the_multiplicity_of_the_atoms(tiny, name):
    atoms = TRIPLETS[name]
    expected = mlsemi.singlepoint(oxalate(), multiplicity=3, parameters=tiny)
    assert expected.energy != mlsemi.singlepoint(oxalate(), parameters=tiny).energy
    found = mlsemi.singlepoint(atoms, parameters=tiny)
    assert found.structure.multiplicity == 3
    assert found.energy == expected.energy
    copy = atoms.copy()
    if name == "settings":  # of the calculator that is replaced
        copy.info["multiplicity"] = 3
    copy.calc = mlsemi.MLSemi(tiny)
    assert copy.get_potential_energy() == pytest.approx(expected.energy * HARTREE_EV, abs=1e-9)
    copy.calc = mlsemi.MLSemi(tiny, multiplicity=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        other = copy.get_potential_energy()
    assert other != pytest.approx(expected.energy * HARTREE_EV, abs=1e-3)


def test_weaker_words_are_overruled_by_name():
    charge, _, notes = settle(said_by(with_charges(0, 0, 0, 0, 0, 2, charge=-2)))
    assert charge == -2
    assert notes == [
        "the charge is -2 (info['charge'] = -2), though the sum of the initial charges says 2"
    ]
    _, _, notes = settle(said_by(with_moments([1, -1, 0, 0, 0, 0])))
    assert "open-shell singlet" in notes[0]


def test_multiplicities_other_than_one(tiny):
    for given, reason in (
        (0, "multiplicity 0: 1 is a closed shell"),
        (-1, "multiplicity -1: 1 is a closed shell"),
        (1.5, "the multiplicity 1.5 is not an integer"),
        ("1", "the multiplicity '1' is not an integer"),
        (True, "the multiplicity True is not an integer"),
    ):
        with pytest.raises(InputError, match=reason):
            mlsemi.singlepoint(oxalate(), parameters=tiny, multiplicity=given)
        with pytest.raises(InputError, match=reason):
            mlsemi.MLSemi(tiny, multiplicity=given)
    for charge, given in ((0, 2), (0, 4), (1, 3), (-1, 1)):
        with pytest.raises(InputError, match=f"do not have multiplicity {given}"):
            mlsemi.singlepoint(oxalate(), parameters=tiny, charge=charge, multiplicity=given)
        with pytest.raises(InputError, match=f"do not have multiplicity {given}"):
            mlsemi.MLSemi(tiny, charge=charge, multiplicity=given).get_property(
                "charges", oxalate()
            )


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        ((-2, 1), (None, 1), (-2, 1)),
        ((-2, 1), (None, 3), (-2, 3)),
        ((0, 3), (0, None), (0, 3)),
        ((0, 3), (2, None), (2, 3)),
        ((0, 3), (1, None), (1, 2)),
        ((1, 4), (0, None), (0, 1)),
        ((1, 2), (0, 3), (0, 3)),
    ],
)
def test_charge_and_multiplicity_of_structures(tiny, own, given, expected):
    structure = mlsemi.Structure.from_ase(oxalate(), *own)
    charge, multiplicity = given
    result = mlsemi.singlepoint(
        structure, parameters=tiny, charge=charge, multiplicity=multiplicity
    )
    assert (result.structure.charge, result.structure.multiplicity) == expected


@pytest.mark.parametrize("bad", ["1", "x", 0.5, np.nan, None.__class__, [1], True])
def test_what_is_no_charge_and_no_state(tiny, bad):
    with pytest.raises(InputError, match=r"the charge .* is not an integer"):
        mlsemi.MLSemi(tiny, charge=bad)
    with pytest.raises(InputError, match=r"the charge .* is not an integer"):
        mlsemi.singlepoint(oxalate(), parameters=tiny, charge=bad)
    with pytest.raises(InputError, match=r"the state .* is not an integer"):
        mlsemi.MLSemi(tiny, state=bad)


def test_none_is_what_the_atoms_say(tiny):
    atoms = oxalate(charge=-2)
    atoms.calc = mlsemi.MLSemi(tiny, charge=None)
    assert atoms.get_charges().sum() == pytest.approx(-2.0)
    assert atoms.info == {"charge": -2}


def test_the_calculator_notices_what_the_atoms_say_later(tiny):
    atoms = oxalate()
    atoms.calc = mlsemi.MLSemi(tiny)
    assert atoms.get_charges().sum() == pytest.approx(0.0)
    atoms.info["charge"] = -2
    assert atoms.calc.calculation_required(atoms, ["charges"])
    assert atoms.get_charges().sum() == pytest.approx(-2.0)
    assert not atoms.calc.calculation_required(atoms, ["charges"])
    del atoms.info["charge"]
    atoms.set_initial_charges([0, 0, 1, 0, 0, 1])
    assert atoms.get_charges().sum() == pytest.approx(2.0)
    dication = atoms.get_potential_energy()
    atoms.info["multiplicity"] = 3
    assert atoms.calc.calculation_required(atoms, ["energy"])
    triplet = mlsemi.singlepoint(oxalate(), charge=2, multiplicity=3, parameters=tiny)
    assert atoms.get_potential_energy() == pytest.approx(triplet.energy * HARTREE_EV, abs=1e-9)
    assert atoms.get_potential_energy() != dication


def test_what_needs_no_second_look():
    """The short cut of dynamics is taken where nothing is said, and nowhere else."""
    own, plain = Calculator(), Atoms("CO", [[0, 0, 0], [0, 0, 1.2]], calculator=None)
    plain.set_velocities(np.ones((2, 3)))
    attached = plain.copy()
    attached.calc = own
    assert silent(plain, attached, own)
    speaking = [plain.copy() for _ in range(4)]
    speaking[0].info["charge"] = 1
    speaking[1].set_initial_charges([1, 0])
    speaking[2].set_initial_magnetic_moments([1, 0])
    speaking[3].calc = SinglePointCalculator(plain, charges=[1, 0])
    for atoms in speaking:
        assert not silent(plain, atoms, own)
        assert not silent(atoms, plain, own)


def test_the_charge_given_wins_and_says_so_once(tiny):
    atoms = oxalate(charge=-2)
    with pytest.warns(
        InputWarning, match=r"the charge given, 0, wins over -2 \(info\['charge'\]\)"
    ):
        atoms.calc = mlsemi.MLSemi(tiny, charge=0)
    assert atoms.get_charges().sum() == pytest.approx(0.0)
    for charge in (
        2,
        -2,
        0,
    ):  # a scan over charges: what a calculator stored is no word of the user
        atoms.calc = mlsemi.MLSemi(tiny, charge=charge)
        assert atoms.get_charges().sum() == pytest.approx(charge)
        assert atoms.info["charge"] == charge
    atoms.calc.set(charge=2)
    assert atoms.get_charges().sum() == pytest.approx(2.0)
    assert atoms.info["charge"] == 2


@pytest.mark.parametrize("suffix", ["xyz", "extxyz", "traj", "json", "db"])
@pytest.mark.parametrize("computed", [True, False])
def test_files_keep_the_charge_of_the_calculator(tiny, tmp_path, suffix, computed):
    atoms = oxalate()
    atoms.calc = mlsemi.MLSemi(tiny, charge=-2)
    if computed:
        atoms.get_charges()
    path = tmp_path / f"ion.{suffix}"
    ase.io.write(path, atoms)
    if suffix != "extxyz":
        assert mlsemi.singlepoint(path, parameters=tiny).structure.charge == -2
    back = ase.io.read(path)
    if computed or suffix not in ("json", "db"):  # which drop info, and calculators when read
        assert mlsemi.singlepoint(back, parameters=tiny).structure.charge == -2
    if suffix in ("xyz", "extxyz", "traj"):
        back.calc = mlsemi.MLSemi(tiny)
        assert back.get_charges().sum() == pytest.approx(-2.0)


def test_a_restart_keeps_the_charge(tiny, folder, tmp_path):
    atoms = oxalate(charge=-2)
    atoms.calc = mlsemi.MLSemi(folder)
    charges = atoms.get_charges()
    atoms.calc.write(tmp_path / "saved")
    again = mlsemi.MLSemi(restart=tmp_path / "saved")
    assert not again.calculation_required(atoms, ["charges"])
    np.testing.assert_array_equal(again.get_property("charges", atoms), charges)


def test_warnings_of_files_and_atoms_reach_the_result(tiny, tmp_path):
    flat = molfile_of().replace("  test", "  program 01012412002D")
    for name, text, part in (
        ("b.xyz", xyz_of("charge"), "looks like a charge"),
        ("c.sdf", flat, "two-dimensional drawing"),
        ("d.pdb", pdb_of(header="FORMUL   2  OXL    C2 O4 2-\n"), "looks like a charge of 2-"),
    ):
        (tmp_path / name).write_text(text)
        result = mlsemi.singlepoint(tmp_path / name, parameters=tiny)
        assert [text for text in result.warnings if part in text]
        assert [text for text in result.to_dict()["warnings"] if part in text]
    atoms = oxalate(charge=True)
    for pbc in (False, True):
        atoms.set_cell([19.0] * 3)
        atoms.pbc = pbc
        found = " ".join(mlsemi.singlepoint(atoms, parameters=tiny).warnings)
        assert "looks like a charge" in found
        assert ("nothing periodic was learned" in found) == pbc


def test_the_unit_of_length_is_asked_for(tiny):
    atoms = molecule("CH3CH2OH")
    small = atoms.copy()
    small.positions *= 0.529177
    small.calc = mlsemi.MLSemi(tiny)
    with pytest.warns(InputWarning, match=r"0.53 times the usual ones: bohr or angstrom\?"):
        small.get_potential_energy()
    mistaken = mlsemi.Structure(atoms.numbers, atoms.positions)
    assert any(
        "bohr or angstrom?" in t for t in mlsemi.singlepoint(mistaken, parameters=tiny).warnings
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.xyz", xyz_of("net_charge=-2")),
        ("a.sdf", molfile_of((0, 0, 5, 0, 0, 5))),
        ("a.pdb", pdb_of(("", "", "1-", "", "", "1-"))),
    ],
)
def test_the_command_line(folder, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    (tmp_path / "open.xyz").write_text(xyz_of("multiplicity=3"))

    def call(*arguments):
        return CliRunner().invoke(app, [*arguments, "--parameters", str(folder), "--json", "-"])

    file = str(tmp_path / name)
    record = json.loads(call("run", file).stdout)
    assert record["structure"]["charge"] == -2
    neutral = json.loads(call("run", file, "--charge", "0").stdout)
    assert neutral["structure"]["charge"] == 0
    assert any("the charge given, 0, wins over -2" in text for text in neutral["warnings"])
    assert neutral["homo_ev"] < record["homo_ev"]
    triplet = json.loads(call("run", str(tmp_path / "open.xyz")).stdout)
    assert triplet["structure"]["multiplicity"] == 3
    assert triplet["n_occupied"] == triplet["n_occupied_beta"] + 2
    assert sum(triplet["spin_populations"]) == pytest.approx(2.0)
    failed = call("spectrum", str(tmp_path / "open.xyz"))
    assert failed.exit_code == 1
    assert failed.stderr.count("\n") == 1
    assert "open.xyz, frame 0: excited states at multiplicity 3: there are" in failed.stderr
    closed = call("spectrum", str(tmp_path / "open.xyz"), "--multiplicity", "1", "--singlets", "1")
    assert "the multiplicity given, 1, wins over 3" in json.loads(closed.stdout)["warnings"][0]


@pytest.mark.parametrize("value", [{"a": 1}, [1, 3], (2, 2), 3j, "high"])
def test_multiplicities_without_a_value_are_named(value):
    _, notes = structure_of(oxalate(multiplicity=value))
    assert ["looks like a multiplicity without a clear value" in text for text in notes] == [True]


def test_dictionaries_are_searched():
    assert structure_of(oxalate(results={"charge": -2}))[0].charge == -2
    (note,) = structure_of(oxalate(total_magmom=2.0))[1]
    assert "looks like a multiplicity" in note
