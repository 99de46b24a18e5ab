"""Molecules in contact: which atoms belong together, where they are put, what binds them."""

import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from computed import computed

from mlsemi.errors import InputError
from mlsemi.molecule.structure import Structure

for program in ("pyscf", "rdkit", "tblite"):
    pytest.importorskip(program)

# ruff: noqa: E402
from mlsemi.training.data.contacts import Molecules, contact_frames
from mlsemi.training.data.dataset import ReferenceDataset, arrays_of, record_of
from mlsemi.training.data.geometries import bond_graph, embed, has_reacted, inchikey, seed_of
from mlsemi.training.reference.calculation import Level, reference_record
from mlsemi.training.reference.campaign import Job, Sampling, geometries

LEVEL = Level(basis="def2-svp", counterpoise=True)


def interaction(atoms, molecules, level=LEVEL):
    """Record of a complex."""
    return reference_record(Structure.from_ase(atoms), "", "", "", level, molecules)


def water_dimer(apart):
    """Two waters, one's hydrogen on the axis to the other's oxygen; angstrom between oxygens."""
    donor = Atoms("OH2", [(0, 0, 0), (0, 0, 0.96), (0.93, 0, -0.24)])
    acceptor = Atoms("OH2", [(0, 0, 0), (0.5, 0.76, 0.3), (0.5, -0.76, 0.3)])
    acceptor.positions[:, 2] += apart
    return donor + acceptor


@pytest.mark.parametrize(
    ("smiles", "sizes", "charges"),
    [
        ("O.C=O", [3, 4], (0, 0)),
        ("[NH4+].[O-]C=O", [5, 4], (1, -1)),
        ("[Cl-].O", [1, 3], (-1, 0)),
        ("O.O.O", [3, 3, 3], (0, 0, 0)),
        ("CO", [6], (0,)),
    ],
)
def test_molecules_of_a_smiles(smiles, sizes, charges):
    molecules = Molecules.of_smiles(smiles)
    assert np.bincount(molecules.of_atom).tolist() == sizes
    assert molecules.charges == charges
    atoms, charge = embed(smiles, 0)
    assert sum(charges) == charge
    bonds = bond_graph(atoms)
    assert not np.any(bonds & (molecules.of_atom[:, None] != molecules.of_atom[None, :]))


def test_molecules_of_a_geometry():
    atoms = molecule("H2O") + molecule("CH4")
    atoms.positions[3:, 0] += 4.0
    molecules = Molecules.of_geometry(atoms, 0)
    assert molecules.of_atom.tolist() == [0] * 3 + [1] * 5
    assert molecules.charges == (0, 0)
    assert Molecules.of_geometry(molecule("CH3"), 1).charges == (1,)
    with pytest.raises(InputError, match="give the complex as SMILES"):
        Molecules.of_geometry(atoms, 1)


def test_a_job_knows_its_molecules():
    """By its SMILES, even when the geometry is given; else by the distances."""
    atoms, _ = embed("[NH4+].[O-]C=O", 1)
    assert Job("[NH4+].[O-]C=O", "", atoms).molecules().charges == (1, -1)
    assert Job("ions.xyz#0", "", atoms).molecules().charges == (0, 0)


@pytest.mark.parametrize(
    ("smiles", "ways"),
    [
        ("O.O", {"hydrogen bond", "random", "relaxed together"}),
        ("CC.C", {"random", "relaxed together"}),
        ("C=C.C=O", {"hydrogen to pi", "stack", "random", "relaxed together"}),
        ("FC(F)(F)Cl.N", {"halogen bond", "hydrogen bond", "random", "relaxed together"}),
        ("[NH4+].[O-]C=O", {"hydrogen bond", "hydrogen to pi", "random"}),
    ],
)
def test_contacts(smiles, ways):
    start, _ = embed(smiles, seed_of(smiles, 0))
    molecules = Molecules.of_smiles(smiles)
    apart = molecules.of_atom[:, None] != molecules.of_atom[None, :]
    frames = contact_frames(start, smiles, 16, np.random.default_rng(3))
    names, rigid = set(), None
    for atoms, text in frames:
        name, factor = re.fullmatch(r"(.*), (\d\.\d{3}) of contact", text).groups()
        names.add(name)
        assert 0.9 <= float(factor) <= 2.0
        closest = atoms.get_all_distances()[apart].min()
        assert 1.0 < closest < 10.0
        assert not has_reacted(atoms, bond_graph(atoms) & ~apart)
        if name != "relaxed together":
            alone = atoms.get_all_distances()[~apart]
            rigid = alone if rigid is None else rigid
            np.testing.assert_allclose(alone, rigid, atol=1e-9)
    assert names <= ways
    assert len(names) >= len(ways) - 1


def test_a_stack_is_parallel_and_a_factor_scales_the_distance():
    smiles = "C=C.C=C"
    start, _ = embed(smiles, 0)
    of_atom = Molecules.of_smiles(smiles).of_atom
    frames = contact_frames(start, smiles, 30, np.random.default_rng(0))
    seen = []
    for atoms, text in frames:
        if not text.startswith("stack"):
            continue
        planes = [atoms.positions[of_atom == k] for k in (0, 1)]
        first, second = (np.linalg.svd(p - p.mean(axis=0))[2][2] for p in planes)
        assert abs(first @ second) == pytest.approx(1.0, abs=1e-4)
        height = abs(first @ (planes[0].mean(axis=0) - planes[1].mean(axis=0)))
        seen.append((float(text.split()[-3]), height))
    assert len(seen) > 3
    (near, low), (far, high) = min(seen), max(seen)
    assert near < 1.3 < far
    assert 2.5 < low < 5.0
    assert high > low


def test_a_single_molecule_has_no_contacts():
    job = Job("CO", inchikey("CO"), frames=0)
    with pytest.raises(InputError, match="a single molecule has no contacts"):
        geometries(job, Sampling(contacts=2))


def test_geometries_of_contacts_follow_the_seed():
    job = Job("O.C=O", inchikey("O.C=O"), frames=0)
    first, again = (geometries(job, Sampling(contacts=2)) for _ in range(2))
    assert len(first) == 2
    for (a, charge, origin), (b, _, same) in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
        assert charge == 0
        assert origin == same
        assert origin.startswith("molecules GFN2-xTB relaxed, ")


def test_far_molecules_do_not_interact():
    atoms = molecule("H2") + molecule("H2")
    atoms.positions[2:, 0] += 30.0
    record = interaction(atoms, Molecules.of_geometry(atoms, 0))
    assert record.fragments.tolist() == [0, 0, 1, 1]
    # density fitting leaves 3e-7 at any grid and any convergence
    assert record.interaction_energy == pytest.approx(0.0, abs=1e-6)
    alone = reference_record(Structure.from_ase(molecule("H2")), "", "", "", LEVEL)
    np.testing.assert_allclose(record.fragment_energies, alone.energy, atol=1e-6)
    assert alone.fragments is None
    assert alone.interaction_energy is None


def test_counterpoise_of_the_water_dimer():
    """The corrected energy is smaller, lies near the value of a large basis, and agrees with an
    input written independently.
    """
    gto, dft = pytest.importorskip("pyscf.gto"), pytest.importorskip("pyscf.dft")
    atoms = water_dimer(2.95)
    record = interaction(atoms, Molecules.of_geometry(atoms, 0))
    ghosts = [["ghost-O", "ghost-H", "ghost-H"], ["O", "H", "H"]]
    energies = []
    for names in (["O", "H", "H", *ghosts[0]], [*ghosts[0], *ghosts[1]]):
        mol = gto.M(
            atom=list(zip(names, atoms.positions.tolist(), strict=True)),
            basis="def2-svp",
            verbose=0,
        )
        solver = dft.RKS(mol, xc="b3lyp").density_fit()
        solver.grids.level = 2
        energies.append(solver.kernel())
    np.testing.assert_allclose(record.fragment_energies, energies, atol=1e-6)
    alone = [
        reference_record(Structure.from_ase(part), "", "", "", LEVEL).energy
        for part in (atoms[:3], atoms[3:])
    ]
    without = 627.51 * (record.energy - sum(alone))
    corrected = 627.51 * record.interaction_energy
    assert without < corrected - 1.0
    assert -6.0 < corrected < -2.5
    back = record_of(arrays_of(record))
    assert back.interaction_energy == record.interaction_energy
    np.testing.assert_array_equal(back.fragments, record.fragments)
    assert back.fragments.dtype == back.fragment_charges.dtype == np.int64


def test_ions_and_a_ghost_without_its_core_potential():
    """NH4+ and I-: charges of the molecules, and an iodine that lends basis functions alone."""
    atoms = Atoms("INH4", [(0, 0, -3.4), (0, 0, 0), *(0.59 * np.array(
        [(1, 1, 1), (-1, -1, 1), (-1, 1, -1), (1, -1, -1)]
    ))])  # fmt: skip
    molecules = Molecules(np.array([0, 1, 1, 1, 1, 1]), (-1, 1))
    record = interaction(atoms, molecules)
    assert record.fragment_charges.tolist() == [-1, 1]
    coulomb = -1.0 / (3.4 / 0.529177)
    assert coulomb - 0.06 < record.interaction_energy < coulomb
    ammonium = reference_record(Structure.from_ase(atoms[1:], 1), "", "", "", LEVEL)
    assert ammonium.energy - 0.01 < record.fragment_energies[1] <= ammonium.energy + 1e-5


def test_a_campaign_of_contacts(tmp_path):
    path, output = tmp_path / "dimers.smi", tmp_path / "dimers.h5"
    path.write_text("[H][H].[H][H]\nF.[H][H]\n")
    options = {"method": "lda,vwn", "basis": "sto-3g", "quiet": True, "counterpoise": True}
    computed([path], output, frames=0, contacts=2, processes=2, **options)
    dataset = ReferenceDataset.load(output)
    assert len(dataset) == 4
    for record in dataset:
        assert record.fragments.size == record.structure.n_atom
        assert abs(record.interaction_energy) < 0.02
    assert any(abs(record.interaction_energy) > 1e-6 for record in dataset)
    assert dataset.provenance["sampling"]["contacts"] == 2
    assert dataset.provenance["level"]["counterpoise"] is True
    # the same geometries at another level, molecules by the SMILES that is their label
    other = tmp_path / "other.h5"
    again = computed([output], other, **(options | {"basis": "3-21g"}))
    assert [r.label for r in again] == [r.label for r in dataset]
    assert all(r.interaction_energy is not None for r in again)
    xyz = tmp_path / "given.xyz"
    xyz.write_text("2\n\nH 0 0 0\nH 0 0 0.74\n")
    with pytest.raises(InputError, match="are made of SMILES"):
        computed([xyz], tmp_path / "none.h5", contacts=2, **options)
    with pytest.raises(InputError, match="contacts = -1: should be greater"):
        computed([path], tmp_path / "none.h5", contacts=-1, **options)


def test_settings_without_contacts_are_those_of_older_campaigns():
    assert "contacts" not in Sampling().provenance()
    assert "counterpoise" not in Level().provenance()
