import gzip
import os
import re

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from bad_inputs import BAD, GOOD, MOLFILE, xyz

from mlsemi.draw.molden import molden
from mlsemi.errors import InputError
from mlsemi.molecule.basis import Basis
from mlsemi.molecule.formats import iter_frames, read_structures
from mlsemi.molecule.integrals import overlap
from mlsemi.molecule.structure import Structure
from mlsemi.outputs import check_writable, complete_or_absent


@pytest.mark.parametrize("name", BAD)
def test_bad_structures_are_refused_in_one_line(tmp_path, name):
    content, reason = BAD[name]
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=reason) as caught:
        read_structures(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_files_and_directories(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_structures(tmp_path / "missing.xyz")
    with pytest.raises(InputError, match="is a directory"):
        read_structures(tmp_path)


def test_binary_noise(tmp_path):
    path = tmp_path / "noise.xyz"
    path.write_bytes(np.random.default_rng(0).bytes(500))
    with pytest.raises(InputError, match=r"noise\.xyz"):
        read_structures(path)


@pytest.mark.parametrize("suffix", ["xyz", "sdf", "mol", "pdb", "cif", "traj", "json", "xyz.gz"])
def test_formats_round_trip(tmp_path, suffix):
    atoms = molecule("CH3CH2OH")
    if suffix == "cif":
        atoms.center(5.0)
        atoms.pbc = True
    path = tmp_path / f"ethanol@1.{suffix}"
    ase.io.write(str(tmp_path / f"plain.{suffix}"), atoms)
    (tmp_path / f"plain.{suffix}").rename(path)
    (frame,) = iter_frames(path)
    assert sorted(frame.structure.symbols) == sorted(atoms.get_chemical_symbols())
    distances = np.sort(frame.structure.to_ase().get_all_distances(), axis=None)
    np.testing.assert_allclose(distances, np.sort(atoms.get_all_distances(), axis=None), atol=0.002)
    assert frame.warnings == ()
    assert (frame.structure.cell is not None) == (suffix == "cif")


def test_every_frame_is_read(tmp_path):
    """ASE alone stops at a blank line, and takes one record of an SDF."""
    (tmp_path / "gap.xyz").write_text(GOOD + "\n\n" + GOOD + "\n")
    (tmp_path / "two.sdf").write_text(MOLFILE + "$$$$\n" + MOLFILE + "$$$$\n")
    ase.io.write(tmp_path / "two.pdb", [molecule("H2O")] * 2)
    for name in ("gap.xyz", "two.sdf", "two.pdb"):
        assert [frame.index for frame in iter_frames(tmp_path / name)] == [0, 1]


def test_compressed_truncated_file(tmp_path):
    path = tmp_path / "cut.xyz.gz"
    path.write_bytes(gzip.compress(GOOD.encode() * 100)[:40])
    with pytest.raises(InputError, match=r"cut\.xyz\.gz"):
        read_structures(path)


def test_charge_comes_from_the_option_then_the_file(tmp_path):
    rows = ("N 0 0 0", "H 1 0 0", "H -0.5 0.9 0", "H -0.5 -0.9 0", "H 0 0 1")
    path = tmp_path / "frames.xyz"
    path.write_text(xyz(*rows, comment="charge=1") + xyz(*rows, comment="charge=-1"))
    assert [s.charge for s in read_structures(path)] == [1, -1]
    assert [s.charge for s in read_structures(path, 3)] == [3, 3]
    (tmp_path / "ion.sdf").write_text(
        MOLFILE.replace("M  END", "M  CHG  2   1  -1   2   3\nM  END")
    )
    assert read_structures(tmp_path / "ion.sdf")[0].charge == 2


@pytest.mark.parametrize(
    ("comment", "warning"),
    [
        ("charge 0", "charge is taken as 0"),
        ('Lattice="9 0 0 0 9 0 0 0 9" pbc="T T T"', None),
        ("plain words, 100% harmless", None),
    ],
)
def test_warnings(tmp_path, comment, warning):
    path = tmp_path / "water.xyz"
    path.write_text(GOOD.replace("water", comment))
    (frame,) = iter_frames(path)
    found = " ".join(frame.warnings)
    assert re.search(warning, found) if warning else not found


def test_flat_molfile_warns(tmp_path):
    path = tmp_path / "drawing.mol"
    path.write_text(MOLFILE.replace("  test", "  program 01012412002D"))
    (frame,) = iter_frames(path)
    assert "two-dimensional" in frame.warnings[0]


def test_output_is_complete_or_absent(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")

    def fail_half_way():
        with complete_or_absent(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert path.read_text() == "old"
    with complete_or_absent(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["out.txt"]


def test_unwritable_outputs(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "none" / "out", tmp_path / "file" / "out"):
        with pytest.raises(InputError, match="cannot be written"):
            check_writable(path)
    check_writable(tmp_path / "fine")
    check_writable("/dev/null")
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


class FakeResult:
    """What the Molden writer needs of a result, with Loewdin orbitals of no Hamiltonian."""

    beta = None

    class state:
        energies = np.linspace(-1.0, 1.0, 10)
        occupations = np.repeat([2.0, 1.5, 0.5, 0.0], [5, 1, 1, 3])

    class parameters:
        name = "none"

    def __init__(self, structure):
        self.structure = structure
        self.basis = Basis.of(structure)
        self.overlap = overlap(self.basis, structure.positions)
        values, vectors = np.linalg.eigh(self.overlap)
        rotation = np.linalg.qr(np.random.default_rng(0).normal(size=self.overlap.shape))[0]
        self.inverse_root = vectors / np.sqrt(values) @ vectors.T
        self.state.orbitals = vectors @ rotation


IODOBORANE = Atoms("BIH2", [(0, 0, 0), (0, 0, 2.1), (1.0, 0.1, -0.6), (-1.1, 0, -0.5)])


@pytest.mark.parametrize(
    ("atoms", "core"),
    [(molecule("H2CO"), ["1 : 2", "2 : 2"]), (IODOBORANE, ["1 : 2", "2 : 46"])],
)
def test_molden_orbitals_are_orthonormal_in_another_program(atoms, core, tmp_path, capsys):
    loader = pytest.importorskip("pyscf.tools.molden")
    structure = Structure.from_ase(atoms)
    result = FakeResult(structure)
    path = tmp_path / "orbitals.molden"
    path.write_text(molden(result))
    assert "\n".join(["[Core]", *core, "[Pseudo]"]) in path.read_text()
    mol, energies, orbitals, occupations, _, _ = loader.load(str(path))
    np.testing.assert_allclose(energies, result.state.energies, atol=1e-9)
    np.testing.assert_allclose(mol.atom_coords(), structure.positions, atol=1e-9)
    np.testing.assert_allclose(occupations, result.state.occupations)
    assert occupations.sum() == structure.n_electron
    theirs = mol.intor("int1e_ovlp")
    one = np.eye(structure.n_orbital)
    np.testing.assert_allclose(orbitals.T @ theirs @ orbitals, one, atol=1e-7)
    assert abs(theirs - one).max() > 0.1
    capsys.readouterr()


@pytest.mark.parametrize("atoms", [molecule("H2CO"), IODOBORANE])
def test_molden_file_in_a_third_program(atoms, tmp_path):
    """IOData has overlaps of its own; it knows no ``[Core]``, and counts all electrons there."""
    iodata = pytest.importorskip("iodata")
    overlaps = pytest.importorskip("iodata.overlap")
    structure = Structure.from_ase(atoms)
    result = FakeResult(structure)
    path = tmp_path / "orbitals.molden"
    path.write_text(molden(result))
    found = iodata.load_one(path)
    assert found.atnums.tolist() == structure.numbers.tolist()
    assert found.nelec == structure.n_electron
    assert found.charge == structure.numbers.sum() - structure.n_electron
    np.testing.assert_allclose(found.atcoords, structure.positions, atol=1e-9)
    np.testing.assert_allclose(found.mo.energies, result.state.energies, atol=1e-9)
    theirs = overlaps.compute_overlap(found.obasis, found.atcoords)
    one = np.eye(structure.n_orbital)
    np.testing.assert_allclose(found.mo.coeffs.T @ theirs @ found.mo.coeffs, one, atol=1e-7)


def test_pipes_are_refused_unread(tmp_path):
    os.mkfifo(tmp_path / "pipe.xyz")
    with pytest.raises(InputError, match="is a pipe; send xyz to standard input and give -"):
        read_structures(tmp_path / "pipe.xyz")


@pytest.mark.parametrize("name", ["pdb1abc.ent", "A.ENT"])
def test_ent_files_are_pdb(tmp_path, name):
    ase.io.write(tmp_path / "a.pdb", molecule("H2O"))
    (tmp_path / "a.pdb").rename(tmp_path / name)
    assert read_structures(tmp_path / name)[0].symbols == ["O", "H", "H"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.ascii", GOOD, r"cannot be parsed as v-sim; is it one\? \(.+\)$"),
        ("a.arc", GOOD, r"cannot be parsed as dmol-arc; is it one\? \(Could not read pbc .*\)$"),
        ("a.nwi", "geometry\nend\n", r"cannot be parsed as nwchem-in; is it one\? \(\w+\)$"),
    ],
)
def test_other_programs_files_that_are_none(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        read_structures(tmp_path / name)
