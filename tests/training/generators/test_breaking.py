"""Bonds pulled apart: the right limits, the lower of two solutions, and the command."""

import numpy as np
import pytest
from ase import Atoms
from pyscf import dft, gto
from typer.testing import CliRunner

from mlsemi.cli import app
from mlsemi.molecule.structure import Structure
from mlsemi.training.data.geometries import bond_orders, bonds_of, inchikey
from mlsemi.training.data.surfaces import load_surfaces
from mlsemi.training.generators.breaking import (
    BONDS,
    LARGEST_MOVE,
    LENGTHS,
    breaking_surfaces,
    lowest_unrestricted,
    opposite_spins,
    pulled_apart,
)
from mlsemi.training.reference.calculation import Level, mean_field

LEVEL = Level(basis="sto-3g", grid=1)
RIGHT = np.array([False, True])


def pair(symbols, distance):
    return Structure.from_ase(Atoms(symbols, [[0.0, 0.0, 0.0], [0.0, 0.0, distance]]))


def atom_energy(symbol, spin):
    solver = dft.UKS(gto.M(atom=symbol, basis=LEVEL.basis, spin=spin, verbose=0), xc=LEVEL.method)
    return solver.density_fit().run().e_tot


@pytest.mark.parametrize(("symbols", "order", "spin"), [("HH", 1, 1), ("NN", 3, 3)])
def test_far_apart_it_is_two_atoms(symbols, order, spin):
    """Of open shells: the closed shell, also a solution, lies electronvolts above."""
    structure = pair(symbols, 5.0)
    solver = lowest_unrestricted(structure, RIGHT, order, LEVEL)
    assert solver.e_tot == pytest.approx(2.0 * atom_energy(symbols[0], spin), abs=2e-4)
    assert mean_field(structure, LEVEL)[0].e_tot > solver.e_tot + 0.1


def test_near_equilibrium_it_is_the_closed_shell():
    structure = pair("HF", 1.0)
    solver = lowest_unrestricted(structure, RIGHT, 1, LEVEL)
    assert solver.spin_square()[0] == pytest.approx(0.0, abs=1e-6)
    assert solver.e_tot == pytest.approx(mean_field(structure, LEVEL)[0].e_tot, abs=1e-7)


def test_a_start_with_broken_bonds_does_not_hide_a_lower_closed_shell():
    far = lowest_unrestricted(pair("HF", 3.0), RIGHT, 1, LEVEL).make_rdm1()
    fresh, led = (lowest_unrestricted(pair("HF", 1.1), RIGHT, 1, LEVEL, d) for d in (None, far))
    assert led.e_tot == pytest.approx(fresh.e_tot, abs=1e-7)


def test_opposite_spins_exchange_one_fragment():
    mol = gto.M(atom="H 0 0 0; Li 0 0 5", basis="sto-3g", spin=2, verbose=0)
    up, down = np.diag([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]), np.diag([0.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    up[0, 2] = up[2, 0] = 0.3
    found = opposite_spins(mol, np.array([up, down]), RIGHT)
    assert np.trace(found[0]) == np.trace(found[1]) == 2.0
    assert np.diag(found[0]).tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert np.diag(found[1]).tolist() == [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert found[:, 0, 2].tolist() == [0.0, 0.0]


def test_orders_are_whole_and_where_the_bonds_are():
    orders = bond_orders("C=CC#N")
    assert np.array_equal(orders > 0, bonds_of("C=CC#N"))
    assert sorted(orders[:4, :4][np.triu_indices(4, 1)].tolist()) == [0, 0, 0, 1, 2, 3]
    assert set(np.unique(bond_orders("c1ccccc1"))) == {0, 1, 2}


def test_one_bond_gets_longer_and_the_sides_keep_their_shape():
    for lengths in (found := pulled_apart("CC=O", 1)):
        (still, side, order), nearest = lengths[0], lengths[-1][0]
        assert order == bond_orders("CC=O")[np.ix_(side, ~side)].max()
        across = [one.get_all_distances()[np.ix_(side, ~side)].min() for one, _, _ in lengths]
        assert across == sorted(across, reverse=True)
        assert across[0] / across[-1] < LENGTHS[-1] / LENGTHS[0] + 0.3
        for part in (side, ~side):
            shapes = [one[part].get_all_distances() for one in (still, nearest)]
            assert np.abs(shapes[0] - shapes[1]).max() < 8.0 * LARGEST_MOVE
    assert len(found) == BONDS
    assert pulled_apart("[NH4+]", 1) == []


def test_surfaces_have_the_forces_of_their_energies():
    (surface,) = breaking_surfaces(("[H][H]", inchikey("[H][H]")), 1, LEVEL)[1:2]
    vector = np.subtract(*surface.structure.positions[::-1])
    step, energies = 1e-3, []
    for sign in (1, -1):
        positions = surface.structure.positions.copy()
        positions[1] += sign * step * vector / np.linalg.norm(vector)
        moved = Structure(surface.structure.numbers, positions)
        energies.append(lowest_unrestricted(moved, RIGHT, 1, LEVEL).e_tot)
    slope = (energies[0] - energies[1]) / (2.0 * step)
    along = surface.forces[1] @ vector / np.linalg.norm(vector)
    assert along == pytest.approx(-slope, abs=1e-4)
    assert np.abs(surface.forces).max() > 1e-3
    assert surface.charges == pytest.approx([0.0, 0.0], abs=1e-4)


def test_the_command_goes_on_where_it_stopped(tmp_path):
    (tmp_path / "list.smi").write_text("[H][H]\n[H]Cl\n")
    output = tmp_path / "breaking.h5"
    call = ["surfaces", str(tmp_path / "list.smi"), "-o", str(output), "--breaking"]
    call += ["--basis", "sto-3g", "--grid", "0", "--processes", "1", "-q"]
    assert CliRunner().invoke(app, call).exit_code == 0
    first = load_surfaces(output)
    assert {s.molecule for s in first} <= {inchikey("[H][H]"), inchikey("[H]Cl")}
    assert len(first) == 3 * len({s.molecule for s in first})
    parts = sorted((tmp_path / "breaking.h5.parts").iterdir())
    before = [part.stat().st_mtime_ns for part in parts]
    output.unlink()
    assert CliRunner().invoke(app, call).exit_code == 0
    assert [part.stat().st_mtime_ns for part in parts] == before
    assert all(a.energy == b.energy for a, b in zip(first, load_surfaces(output), strict=True))


def test_one_kind_of_surfaces_at_a_time(tmp_path):
    (tmp_path / "list.smi").write_text("[H][H]\n")
    call = ["surfaces", str(tmp_path / "list.smi"), "-o", str(tmp_path / "x.h5"), "--breaking"]
    both = CliRunner().invoke(app, [*call, "--dynamics", "organic-1"])
    assert both.exit_code != 0
    unknown = CliRunner().invoke(app, [*call, "--method", "nonsense"])
    assert unknown.exit_code != 0
    assert "nonsense" in unknown.output + str(unknown.exception)
    assert not (tmp_path / "x.h5").exists()
