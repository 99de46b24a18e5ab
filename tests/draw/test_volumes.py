"""Orbitals and densities on a grid, against integrals and another program."""

from dataclasses import dataclass

import numpy as np
import pytest
from huckel import distorted, named
from test_cli import FORMALDEHYDE, assert_one_line_error, cli, tiny  # noqa: F401

from mlsemi.draw.exports import Quantity, density_of, export, needed
from mlsemi.draw.volumes import Grid, density_on, orbital_on, write_cube
from mlsemi.errors import InputError
from mlsemi.excited.excitations import excite
from mlsemi.molecule.basis import Basis
from mlsemi.molecule.structure import Structure


@dataclass(frozen=True)
class Picture:
    """What exports need of a result."""

    structure: Structure
    basis: Basis
    state: object
    inverse_root: np.ndarray
    singlets: object
    triplets: object

    class parameters:
        name = "none"

    @property
    def frame_density(self):
        return self.state.density

    @property
    def orbitals(self):
        return self.inverse_root @ self.state.orbitals


@pytest.fixture(scope="module")
def picture():
    m = distorted("H2CO")
    singlets, triplets = (
        excite(m.state, m.interaction(), 8, kind) for kind in ("singlet", "triplet")
    )
    return Picture(m.structure, m.basis, m.state, m.root, singlets, triplets)


@pytest.fixture(scope="module")
def grid(picture):
    return Grid.around(picture.structure, 0.22, 7.0)


def test_values_are_the_sum_over_primitives():
    m = named("H2CO")
    grid = Grid(np.array([-1.3, 0.4, 0.7]), 0.5, (2, 3, 2))
    basis = m.basis
    for mu in range(basis.n_orbital):
        row = basis.atom_species[basis.orbital_atom[mu]]
        l, k = basis.orbital_l[mu], basis.orbital_m[mu]
        d = grid.points - m.structure.positions[basis.orbital_atom[mu]]
        radial = np.exp(-np.outer((d**2).sum(axis=1), basis.species_exponents[row]))
        harmonic = d[:, [1, 2, 0][k + 1]] if l else np.ones(len(d))
        expected = harmonic * (radial @ basis.species_coefficients[row, l])
        unit = np.eye(basis.n_orbital)[mu]
        found = orbital_on(grid, basis, m.structure.positions, unit)
        np.testing.assert_allclose(found.ravel(), expected, atol=1e-12)


def dipole(picture, k):
    """sqrt(2) sum_ia X_ia <i|r|a>."""
    n, C = picture.state.n_occupied, picture.state.orbitals
    r = C[:, :n].T @ distorted("H2CO").operators()[0] @ C[:, n:]
    return np.sqrt(2) * np.einsum("ia,xia->x", picture.singlets.amplitudes[k], r)


def test_densities_integrate_to_their_traces(picture, grid):
    at = (grid, picture.basis, picture.structure.positions)
    volume, root = grid.spacing**3, picture.inverse_root
    homo = orbital_on(*at, picture.orbitals[:, Quantity.named("homo").orbital(picture.structure)])
    assert (homo**2).sum() * volume == pytest.approx(1.0, abs=2e-3)
    for name, electrons in (("density", 12.0), ("difference:S1", 0.0), ("transition:S2", 0.0)):
        matrix = density_of(picture, Quantity.named(name))
        values = density_on(*at, root @ matrix @ root)
        assert values.sum() * volume == pytest.approx(electrons, abs=2e-2)
        assert np.abs(values).max() > 1e-3
    # the dipole of the transition density is the transition dipole
    bright = 1 + int(np.argmax([np.abs(dipole(picture, k)).max() for k in range(8)]))
    matrix = density_of(picture, Quantity.named(f"transition:S{bright}"))
    moment = grid.points.T @ density_on(*at, root @ matrix @ root).ravel() * volume
    expected = dipole(picture, bright - 1)
    np.testing.assert_allclose(moment, expected, atol=3e-3)
    assert np.abs(expected).max() > 0.1


def test_cube_file(picture, tmp_path):
    grid = Grid.around(picture.structure, 1.0, 2.0)
    values = np.random.default_rng(0).normal(size=grid.shape)
    write_cube(tmp_path / "a.cube", picture.structure, grid, values, "title")
    from ase.io.cube import read_cube

    with open(tmp_path / "a.cube") as stream:
        found = read_cube(stream)
    np.testing.assert_allclose(found["data"], values, rtol=1e-5)
    assert found["atoms"].get_chemical_symbols() == picture.structure.symbols
    np.testing.assert_allclose(
        found["atoms"].positions, picture.structure.to_ase().positions, atol=1e-5
    )


def test_cube_file_in_another_program(picture, tmp_path):
    """What ASE drops: charges of the cores, origin and axes, and the order of the values."""
    iodata = pytest.importorskip("iodata")
    grid = Grid.around(picture.structure, 1.0, 2.0)
    values = np.random.default_rng(0).normal(size=grid.shape)
    write_cube(tmp_path / "a.cube", picture.structure, grid, values, "title")
    found = iodata.load_one(tmp_path / "a.cube")
    np.testing.assert_allclose(found.cube.data, values, rtol=1e-5)
    np.testing.assert_allclose(found.cube.origin, grid.origin, atol=1e-6)
    np.testing.assert_allclose(found.cube.axes, grid.spacing * np.eye(3), atol=1e-6)
    np.testing.assert_allclose(found.atcoords, picture.structure.positions, atol=1e-6)
    np.testing.assert_allclose(found.atcorenums, picture.structure.core_charges)
    assert found.atnums.tolist() == picture.structure.numbers.tolist()


def test_natural_orbitals_in_molden(picture, tmp_path, capsys):
    loader = pytest.importorskip("pyscf.tools.molden")
    path = tmp_path / "ntos.molden"
    export(picture, Quantity.named("ntos:S1"), Grid.around(picture.structure, 1.0, 1.0), path)
    mol, _, orbitals, occupations, labels, _ = loader.load(str(path))
    weights = picture.singlets.natural_orbitals(0, picture.state)[0]
    np.testing.assert_allclose(occupations[::2], weights[: len(occupations) // 2], atol=1e-5)
    gram = orbitals.T @ mol.intor("int1e_ovlp") @ orbitals
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-6)
    assert [label.lower() for label in labels[:2]] == ["1h", "1e"]
    capsys.readouterr()


def test_names(picture):
    assert Quantity.named("LUMO+2").orbital(picture.structure) == picture.state.n_occupied + 2
    assert Quantity.named("orbital:0").orbital(picture.structure) == 0
    some = [Quantity.named(text) for text in ("homo-1", "hole:S3", "transition:T2", "ntos:S1")]
    assert needed(some) == {"singlets": 3, "triplets": 2}
    assert [q.file_name for q in some][:2] == ["homo-1.cube", "hole-S3.cube"]
    for text in ("hom", "hole:X1", "hole:S0", "orbital:-1"):
        with pytest.raises(InputError, match="cannot be exported"):
            Quantity.named(text)
    with pytest.raises(InputError, match="no orbital"):
        Quantity.named("lumo+40").orbital(picture.structure)
    with pytest.raises(InputError, match="no excited state T9"):
        Quantity.named("hole:T9").states(picture)
    for spacing in (0.0, 1e-4):
        with pytest.raises(InputError, match="grid"):
            Grid.around(picture.structure, spacing, 5.0)


def test_command(cli, tiny, tmp_path):  # noqa: F811
    common = ("--spacing", 0.6, "-q", "--parameters", tiny)
    found = cli("export", FORMALDEHYDE, "homo", "electron:T1", "ntos:S2", *common)
    assert found.exit_code == 0
    names = ("homo.cube", "electron-T1.cube", "ntos-S2.molden")
    assert all((tmp_path / f"formaldehyde.{name}").stat().st_size > 500 for name in names)
    assert_one_line_error(cli("export", FORMALDEHYDE, "hom", *common), "cannot be exported")
    assert_one_line_error(cli("export", FORMALDEHYDE, "lumo+9", *common), "no orbital")
