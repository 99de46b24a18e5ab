"""What a comment line says about charge and multiplicity, in the words people use."""

import pytest
from ions import POSITIONS, xyz_of

from mlsemi.errors import InputError
from mlsemi.molecule.formats import iter_frames, read_structures
from mlsemi.units import BOHR_ANGSTROM

# fmt: off
DIANION = [
    "charge=-2", "Charge=-2", "CHARGE=-2", "CHARGE = -2", "charge: -2", "net_charge=-2",
    "Net_Charge: -2", "total_charge=-2", "total charge = -2.0", "TotalCharge=-2", "tot_charge=-2",
    "formal charge: -2", "chrg=-2", "chg=-2", "q=-2", "Q = -2", "charge=2-", 'charge="-2"',
    "charge='-2'", "charge=(-2)", "charge=[-2]", "charge=-2e", "charge = - 2", "charge:=-2",
    "charge=-2, multiplicity=1", "charge=-2;mult=1", '{"charge": -2, "multiplicity": 1}',
    "charge=-2 spin=0", "Charge/Multiplicity: -2 1", "charge, mult: -2, 1",
    "charge and spin multiplicity -2 1",
    'energy=-3.1 charge=-2 pbc="F F F"', "name=oxalate charge=-2",
    "===== Charge = -2 =====", "charge=-2 uhf=0", "charge is -2", "charge=-2 nopen=0",
    "charge=-2 singlet", "charge=-2.000", "dianion, charge=-2", "-2 electrons? charge=-2",
    "Ladung=-2", "Ladung: -2", "Gesamtladung = -2", "carga total = -2", "Multiplizität=1 q=-2",
    "charge=-2 nelec=46",
]
# fmt: on
DIANION += ["charge=\N{MINUS SIGN}2", "charge=\N{EN DASH}2"]
# fmt: off
NOTED = [
    "-2 1", "-2, 1", "-2,1", "* xyz -2 1", "charge -2", "Charge -2 mult 1", "--chrg -2 --uhf 0",
]
NEUTRAL = [
    "plain words", "===== Charge = 0 =====", "charge=0", "q=0", "0 1", "0,1", "=x", "stress=0",
    "Lattice energy", "Properties of water", "energy=-3", 'a=b c="d', '" unbalanced', "{[}",
    "Mulliken charges below", "partial charge = 0.3", "nuclear charge=8", "1", "12",
    "Step 3 of 4", "i = 0, time = 0.5, E = -3.2", "E(RB+HF-LYP) = -3.2", "B3LYP/6-31+G* opt",
    "spin=0", "uhf=0", "mult=1", "multiplicity: 1", "1 2-dichloroethane", "charged droplets",
    "multipole=-1", "=", "==", "a==b", "virial=1 energy= free_energy", "forces=2", "magmom=x",
    "C-C 1.54 A", "sum+", "step -", "dipole 1.2 -0.3 0.5", "species=3",
    "1,2-dichloroethane", "bicyclo[2.2.1]heptane", "(2-chloroethyl)benzene", "frame 2-3", "-2.3",
    "2024-01-02", "energy -2.3", "step=-2", "step -2", "(+)-limonene", "(R)-(-)-carvone",
    "107-06-2", "2- and 3-methylfuran", "[2+2] cycloaddition", "1620 cm\u207b\u00b9", "C60-2",
    "nelec=44", "valence electrons = 32", "Elektronen: 44", "Teilladung=0.3", "2 electrons",
    "electronic energy=2", "electron count", "alpha electrons: 22", "Ladungstransfer=2",
    "nelec=44 Kernladung=8",
    "step 2 - 3", "exchange=2", "magmom=0", "magmom=1e-7", "iq -3.0", "N-(2-pyridyl)", "conf_2-",
]
TRIPLET = [
    "multiplicity=3", "Multiplicity: 3", "mult=3", "spin multiplicity = 3", "uhf=2", "UHF=2",
    "nopen=2", "unpaired electrons = 2", "spin=triplet", "2S+1=3", "charge=0 multiplicity=3",
    "multiplicity=3.0", "charge=-2 mult=3", "Multiplizität=3", "Spinmultiplizität: 3",
    "multiplicidad=3", "number of unpaired electrons = 2",
]
TRIPLET_NOTED = ["0 3", "-2 3", "* xyz 0 3", "mult 3", "--uhf 2"]
RADICAL = [
    "charge=1 mult=2", "charge=-1 uhf=1", "charge=1 spin=0.5", "q=1 doublet=True", "charge=1",
]
UNSURE = [
    "charge", "charge=", "charge: see below", "charge transfer", "-2", "+1", "2-", "-2 1 oxalate",
    "the dianion", "a cation", "C2O4^2-", "C2O4 2-", "C2O4--", "NH4+", "[O-]C(=O)C(=O)[O-]",
    "InChI=1S/C2H2O4/h(H,3,4)/p-2", "my_charge=-2", "q=0.3", "biradical", "triplet state",
    "charges=-2", "open-shell", "q-2", "oxalate_charge-2_mult1", "charge_-2", "C2O4(2-)", "S=1",
    "charge -> -2", "<charge>-2</charge>", "triplet=True", "oxalate 2-", "oxalate(2-)",
    "oxalate (2-) opt", "(-2)", "[-2]", "oxalate {-2}", "-2/1", "-2 ; 1", "q -2", "q(-2)", "Q [+1]",
    "nelec=46", "nelec=45.5", "n_electrons: 46", "number of electrons = 46",
    "valence electrons = 34", "Elektronenzahl=46", "meine_Ladung=-2", "Ladung",
    "nchg=-2", "TOTCHG=-2", "magmom=2", "total_magmom=2", "nupdown = 2", "icharg=-2", "oxalate -2",
    "oxalate, -2 1", "C2O4^-2", "C2O4\u00b2\u207b", "NH\u2084\u207a", "oxalate 2\N{MINUS SIGN}",
]
# fmt: on


def frame_of(folder, comment):
    path = folder / "oxalate.xyz"
    path.write_text(xyz_of(comment), encoding="utf-8", newline="")
    (frame,) = iter_frames(path)
    assert frame.structure.positions * BOHR_ANGSTROM == pytest.approx(POSITIONS)
    return frame


@pytest.mark.parametrize("comment", DIANION)
def test_charges_are_read_in_all_words(tmp_path, comment):
    frame = frame_of(tmp_path, comment)
    assert (frame.structure.charge, frame.warnings) == (-2, ())


@pytest.mark.parametrize("comment", NOTED)
def test_charges_without_an_equals_sign_are_read_and_named(tmp_path, comment):
    frame = frame_of(tmp_path, comment)
    assert frame.structure.charge == -2
    (warning,) = frame.warnings
    assert comment[:2] in warning
    assert "-2" in warning or "charge and multiplicity" in warning


@pytest.mark.parametrize("comment", NEUTRAL)
def test_other_comments_say_nothing_and_do_no_harm(tmp_path, comment):
    frame = frame_of(tmp_path, comment)
    assert (frame.structure.charge, frame.warnings) == (0, ())


@pytest.mark.parametrize("comment", TRIPLET + TRIPLET_NOTED)
def test_multiplicities_are_read_in_all_words(tmp_path, comment):
    frame = frame_of(tmp_path, comment)
    assert frame.structure.multiplicity == 3
    assert frame.structure.charge == (-2 if "-2" in comment else 0)
    assert len(frame.warnings) == (comment in TRIPLET_NOTED)
    (frame,) = iter_frames(tmp_path / "oxalate.xyz", 0, 1)
    assert frame.structure.multiplicity == 1
    assert any("multiplicity given, 1, wins over 3" in text for text in frame.warnings)


@pytest.mark.parametrize("comment", RADICAL)
def test_radicals(tmp_path, comment):
    """Taken for one, with a word, where nothing is said for sure."""
    frame = frame_of(tmp_path, comment)
    assert frame.structure.multiplicity == 2
    said = [text for text in frame.warnings if "taken as a radical (multiplicity 2)" in text]
    assert len(said) == (comment in ("charge=1", "q=1 doublet=True"))


@pytest.mark.parametrize("comment", UNSURE)
def test_what_looks_like_a_charge_is_named(tmp_path, comment):
    frame = frame_of(tmp_path, comment)
    assert frame.structure.charge == 0
    assert any("looks like" in text for text in frame.warnings)
    assert next(iter_frames(tmp_path / "oxalate.xyz", 0, 1)).warnings == ()


@pytest.mark.parametrize(
    ("comment", "reason"),
    [
        ("charge=0.5", "the charge 0.5 is not an integer"),
        ("charge=foo", "the charge foo is not an integer"),
        ("charge=1/2", "the charge 1/2 is not an integer"),
        ("charge=nan", "the charge nan is not an integer"),
        ("charge=1e999", "the charge 1e999 is not an integer"),
        ("net_charge=1_0", "the charge 1_0 is not an integer"),
        ("multiplicity=0", "0 is no multiplicity"),
        ("multiplicity=1.5", "1.5 is no multiplicity"),
        ("spin=1", "a spin of 1 may be S, 2 S or a multiplicity"),
        ("spin=2", "a spin of 2 may be S, 2 S or a multiplicity"),
        ("spin=-0.5", "a spin of -0.5 may be"),
        ("multiplicity=-1", "-1 is no multiplicity"),
        ("charge=-2 charge=1", r"is -2 \('charge=-2' .*\) but 1 \('charge=1'"),
        ("charge=-2 q=0", r"is -2 \('charge=-2' .*\) but 0 \('q=0'"),
        ("mult=1 uhf=2", r"the multiplicity is 1 .* but 3 \('uhf=2'"),
    ],
)
def test_values_without_sense_and_contradictions(tmp_path, comment, reason):
    with pytest.raises(InputError, match=reason) as caught:
        frame_of(tmp_path, comment)
    assert "give the " in str(caught.value)
    (frame,) = iter_frames(tmp_path / "oxalate.xyz", -2, 1)
    assert frame.structure.charge == -2
    assert any("given" in text for text in frame.warnings)


def test_what_is_given_wins_and_says_so(tmp_path):
    path = tmp_path / "oxalate.xyz"
    path.write_text(xyz_of("net_charge=-2"))
    (frame,) = iter_frames(path, 0)
    assert frame.structure.charge == 0
    assert frame.warnings == (
        "the charge given, 0, wins over -2 ('net_charge=-2' in the comment line)",
    )
    assert next(iter_frames(path, -2)).warnings == ()
    assert next(iter_frames(path, None, 3)).structure.multiplicity == 3
    assert next(iter_frames(path, -1)).structure.multiplicity == 2


@pytest.mark.parametrize(
    ("charge", "multiplicity"), [(0, 2), (0, 4), (1, 1), (1, 3), (-2, 2), (0, 99), (30, 5)]
)
def test_multiplicities_that_do_not_fit(tmp_path, charge, multiplicity):
    path = tmp_path / "oxalate.xyz"
    path.write_text(xyz_of(f"charge={charge} multiplicity={multiplicity}"))
    reason = "have no .* unpaired" if (charge + multiplicity) % 2 else "check charge and multipl"
    for given in ((None, None), (charge, multiplicity)):
        with pytest.raises(InputError, match=f"oxalate.xyz, frame 0: .*{reason}"):
            list(iter_frames(path, *given))


@pytest.mark.parametrize("multiplicity", [0, -1])
def test_multiplicities_without_sense(tmp_path, multiplicity):
    path = tmp_path / "oxalate.xyz"
    path.write_text(xyz_of(""))
    with pytest.raises(InputError, match=f"multiplicity {multiplicity}: 1 is a closed shell"):
        list(iter_frames(path, None, multiplicity))


@pytest.mark.parametrize("odd", list("\f\v\x1c\x1d\x1e\x85\u2028\u2029"))
def test_characters_that_only_python_takes_for_line_ends(tmp_path, odd):
    assert frame_of(tmp_path, f"a{odd}b charge=-2{odd}").structure.charge == -2


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_of_other_systems(tmp_path, end):
    path = tmp_path / "oxalate.xyz"
    path.write_bytes((xyz_of("charge=-2") * 2).replace("\n", end).encode())
    assert [s.charge for s in read_structures(path)] == [-2, -2]
