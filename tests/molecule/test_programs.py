"""Files of other programs: units, charges and multiplicities that ASE drops."""

import ase.db
import ase.io
import numpy as np
import pytest
from ase.units import Bohr
from ions import POSITIONS, ROWS, SYMBOLS, oxalate

from mlsemi.errors import InputError
from mlsemi.molecule.formats import iter_frames
from mlsemi.molecule.programs import _said_by_lines
from mlsemi.units import BOHR_ANGSTROM

GAUSSIAN = "%chk=a\n# b3lyp/6-31G*\n\noxalate\n\n{}\n" + "\n".join(ROWS) + "\n\n"
POSCAR = (
    "oxalate {}\n1.0\n19 0 0\n0 19 0\n0 0 19\nC O\n2 4\nCartesian\n"
    + "\n".join(row.split(" ", 1)[1] for row in ROWS)
    + "\n"
)


def coord(options="", groups="", unit=Bohr):
    rows = [
        f" {x / unit:.12f} {y / unit:.12f} {z / unit:.12f} {s.lower()}"
        for s, (x, y, z) in zip(SYMBOLS, POSITIONS, strict=True)
    ]
    return "\n".join([f"$coord{options}", *rows, *groups.split("|"), "$end", ""])


def gaussian_in_bohr(route):
    rows = "\n".join(
        f"{s} {x / Bohr:.12f} {y / Bohr:.12f} {z / Bohr:.12f}"
        for s, (x, y, z) in zip(SYMBOLS, POSITIONS, strict=True)
    )
    return (
        GAUSSIAN.format("-2 1").replace("6-31G*", f"6-31G* {route}").replace("\n".join(ROWS), rows)
    )


CJSON = (
    '{"chemicalJson": 1, "atoms": {"elements": {"number": [6, 6, 8, 8, 8, 8]}, "coords": {"3d": '
    f"{[float(x) for x in POSITIONS.ravel()]}"
    '}}, "properties": {"totalCharge": %d, "totalSpinMultiplicity": %d}}'
)


def read(folder, name, text):
    path = folder / name
    path.write_text(text)
    return list(iter_frames(path))


@pytest.mark.parametrize(
    ("name", "text", "charge"),
    [
        ("a.gjf", GAUSSIAN.format("0 1"), 0),
        ("a.gjf", GAUSSIAN.format("-2 1"), -2),
        ("a.com", GAUSSIAN.format("-2,1"), -2),
        ("a.com", GAUSSIAN.format("  -2   1 -1 1 -1 1"), -2),
        ("a.gjf", GAUSSIAN.format("2 1"), 2),
        ("coord", coord(), 0),
        ("coord", coord(groups="$eht charge=-2 unpaired=0"), -2),
        ("mol.coord", coord(groups="$user-defined bonds|$eht charge= -2"), -2),
        ("coord", coord(" angs", unit=1.0), 0),
        ("coord", coord(" angs", "$eht charge=-2", unit=1.0), -2),
        ("coord", coord(" natoms=6"), 0),
        ("coord", coord(groups="$set| chrg = -2| uhf = 0"), -2),
        ("a.gjf", gaussian_in_bohr("units=au"), -2),
        ("a.gjf", gaussian_in_bohr("geom=connectivity units(au,deg)"), -2),
        ("POSCAR", POSCAR.format("molecule"), 0),
        ("a.cjson", CJSON % (-2, 1), -2),
    ],
)
def test_charge_and_geometry(tmp_path, name, text, charge):
    (frame,) = read(tmp_path, name, text)
    assert frame.structure.charge == charge
    np.testing.assert_allclose(frame.structure.positions * BOHR_ANGSTROM, POSITIONS, atol=1e-7)
    assert frame.warnings == ()
    assert (frame.structure.cell is not None) == (name == "POSCAR")


@pytest.mark.parametrize(
    ("name", "text", "charge", "multiplicity"),
    [
        ("a.gjf", GAUSSIAN.format("0 3"), 0, 3),
        ("a.gjf", GAUSSIAN.format("1 2"), 1, 2),
        ("coord", coord(groups="$eht charge=0 unpaired=2"), 0, 3),
        ("coord", coord(groups="$set| chrg = -1| uhf = 1"), -1, 2),
        ("a.cjson", CJSON % (0, 3), 0, 3),
    ],
)
def test_multiplicities(tmp_path, name, text, charge, multiplicity):
    (frame,) = read(tmp_path, name, text)
    assert (frame.structure.charge, frame.structure.multiplicity) == (charge, multiplicity)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.gjf", GAUSSIAN.format("0 2"), "do not have multiplicity 2"),
        ("coord", coord(" frac"), "fractional coordinates"),
        ("POSCAR", POSCAR.format("charge=-2"), "charge -2 in a periodic cell is not supported"),
        ("POSCAR", POSCAR.format("mult=3"), "unpaired electrons in a periodic cell"),
        ("coord", coord(groups="$periodic 3|$cell|9 9 9"), "is periodic"),
        ("coord", coord().replace(" c\n", " zz\n", 1), "atom 0: unknown element symbol 'zz'"),
        ("coord", coord().replace(" c\n", "\n", 1), "atom 0: expected 'x y z symbol'"),
        ("a.cjson", CJSON % (1, 3), "do not have multiplicity 3"),
        ("a.mol2", "@<TRIPOS>MOLECULE\n", "format is not recognised"),
        ("orca.inp", "! b3lyp\n* xyz -2 1\n*\n", "format is not recognised"),
    ],
)
def test_refusals(tmp_path, name, text, reason):
    with pytest.raises(InputError, match=f"{name}.*{reason}"):
        read(tmp_path, name, text)


def test_initial_charges_of_aims(tmp_path):
    rows = [f"atom {x} {y} {z} {s}" for s, (x, y, z) in zip(SYMBOLS, POSITIONS, strict=True)]
    rows[3:3] = ["initial_charge -2"]
    (frame,) = read(tmp_path, "geometry.in", "\n".join(rows))
    assert (frame.structure.charge, frame.warnings) == (-2, ())


@pytest.mark.parametrize("suffix", ["db", "json"])
def test_databases(tmp_path, suffix):
    with ase.db.connect(tmp_path / f"ions.{suffix}") as rows:
        rows.write(oxalate())
        rows.write(oxalate(), charge=-2)
        rows.write(oxalate(), net_charge=2)
    found = [frame.structure.charge for frame in iter_frames(tmp_path / f"ions.{suffix}")]
    assert found == [0, -2, 2]


@pytest.fixture
def crystal(tmp_path):
    atoms = oxalate()
    atoms.center(5.0)
    atoms.pbc = True
    ase.io.write(tmp_path / "a.cif", atoms)
    return (tmp_path / "a.cif").read_text()


def test_formulas_of_crystals(tmp_path, crystal):
    assert read(tmp_path, "a.cif", crystal)[0].structure.charge == 0
    charged = crystal.replace('"C2 O4"', "'C2 O4 2-'")
    with pytest.raises(InputError, match=r"charged formula.*'C2 O4 2-'.*give the charge"):
        read(tmp_path, "a.cif", charged)
    assert next(iter_frames(tmp_path / "a.cif", 0)).structure.charge == 0
    salt = crystal.replace(
        "_chemical_formula_sum",
        "_chemical_formula_moiety 'C2 O4 2-, 2(Na 1+)'\n_chemical_formula_sum",
    )
    assert read(tmp_path, "a.cif", salt)[0].structure.charge == 0


def test_disordered_crystals_are_refused(tmp_path, crystal):
    rows = crystal.split("\n")
    last = max(k for k, row in enumerate(rows) if row.strip().startswith("O "))
    rows[last] = rows[last].rstrip()[:-6] + "0.5000"
    with pytest.raises(InputError, match=r"site O4 has an occupancy below one: .*disordered"):
        read(tmp_path, "a.cif", "\n".join(rows))
    groups = [
        f"{row} {1 if row.strip().startswith('O ') else '.'}"
        if row.strip().startswith(("O ", "C "))
        else row
        for row in crystal.split("\n")
    ]
    text = "\n".join(groups).replace(
        "_atom_site_occupancy", "_atom_site_occupancy\n  _atom_site_disorder_group"
    )
    with pytest.raises(InputError, match="site O1 has a disorder group"):
        read(tmp_path, "a.cif", text)


@pytest.mark.parametrize("separator", [" ", "\t"])
def test_gaussian_coordinates_without_a_decimal_point(tmp_path, separator):
    rows = "\n".join(
        separator.join(row.split()) for row in ("O 0 0 0", "H 0 0 1", "H(iso=2) 1 0 0")
    )
    text = f"# hf\n\nt\n\n-1,2\n{rows}\n\n1 2 3 4\n"
    (frame,) = read(tmp_path, "a.gjf", text)
    assert (frame.structure.charge, frame.structure.multiplicity) == (-1, 2)
    positions = frame.structure.positions * BOHR_ANGSTROM
    np.testing.assert_allclose(positions, [[0, 0, 0], [0, 0, 1], [1, 0, 0]])


def test_every_job_of_a_gaussian_input_is_a_frame(tmp_path):
    water = GAUSSIAN.format("-2 1")
    again = "%chk=a\n# hf\n# Geom=AllCheck guess=read\n\n"
    text = "\n--Link1--\n".join([water, again, GAUSSIAN.format("0 3"), ""])
    first, last = read(tmp_path, "a.gjf", text)
    assert (first.structure.charge, first.structure.multiplicity) == (-2, 1)
    assert (last.structure.charge, last.structure.multiplicity) == (0, 3)
    with pytest.raises(InputError, match="holds no structure"):
        read(tmp_path, "b.gjf", f"{again}--link1--\n{again}")


def test_data_files_are_what_they_hold(tmp_path):
    (frame,) = read(tmp_path, "a.dat", "1\n\nHe 0 0 0\n".replace("He", "H"))
    assert frame.structure.symbols == ["H"]
    with pytest.raises(InputError, match="ends within a group"):
        read(tmp_path, "c.dat", " $DATA\nx\n")
    with pytest.raises(InputError, match=r"b\.dat: the format is not recognised"):
        read(tmp_path, "b.dat", "# t x\n0 1.5\n")


def test_gaussian_matrices_of_internal_coordinates_stay(tmp_path):
    (frame,) = read(tmp_path, "a.gjf", "# hf\n\nt\n\n0 1\nO\nH 1 1.0\nH 1 1.0 2 90.0\n\n")
    distances = frame.structure.to_ase().get_all_distances()
    np.testing.assert_allclose(distances[np.triu_indices(3, 1)], [1.0, 1.0, 2**0.5])


def test_icharg_is_a_charge_in_gamess_alone(tmp_path):
    (said,) = _said_by_lines(" SCFTYP=RHF  ICHARG=      -2", "gamess-us-out")
    assert (said.quantity, said.value) == ("charge", -2)
    (frame,) = read(tmp_path, "POSCAR", POSCAR.format("icharg=-2"))
    assert frame.structure.charge == 0
    assert "looks like a charge" in frame.warnings[0]
