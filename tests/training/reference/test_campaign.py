"""Campaigns: killed, restarted, on several machines, with failures; one and the same file."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.io import write
from computed import computed
from molecules import distorted

from mlsemi.errors import InputError, InputWarning, MlsemiError, ParameterError

for program in ("pyscf", "rdkit", "tblite"):
    pytest.importorskip(program)

# ruff: noqa: E402
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.data.geometries import (
    bond_graph,
    bonds_of,
    embed,
    has_reacted,
    inchikey,
    relax,
    seed_of,
    smiles_of,
)
from mlsemi.training.data.surfaces import Surface, save_surfaces
from mlsemi.training.reference import commands
from mlsemi.training.reference.calculation import Level, reference_record
from mlsemi.training.reference.campaign import (
    Job,
    Sampling,
    collect,
    compute,
    geometries,
    jobs_of_smiles,
    open_folder,
    pending,
)
from mlsemi.training.reference.inputs import is_known, jobs_of
from mlsemi.training.reference.workers import KILLED, run_jobs

LEVEL = Level(method="lda,vwn", basis="sto-3g")
OPTIONS = {"method": "lda,vwn", "basis": "sto-3g", "quiet": True}
PROGRAM = """
import sys
from mlsemi.training.reference.commands import reference_command
from mlsemi.training.reference.inputs import ReferenceFile
from mlsemi.training.reference.workers import Workforce
if __name__ == "__main__":
    asked = ReferenceFile(path=sys.argv[2], inputs=(sys.argv[1],), method="lda,vwn", basis="sto-3g")
    reference_command(asked, Workforce(processes=2))
"""
FAILING = "C[NH+](C)CC(=O)[O-]"
"""A zwitterion that gives its proton away in the gas phase."""


@pytest.fixture(scope="module")
def smiles(tmp_path_factory):
    """Input file of six molecules, one of which fails."""
    path = tmp_path_factory.mktemp("input") / "few.smi"
    path.write_text(f"O\nC=O 2\n# comment\n[C-]#[O+] # with a name\n{FAILING}\nC#N\nN\n")
    return path


@pytest.fixture(scope="module")
def uninterrupted(smiles, tmp_path_factory):
    """File of a campaign that ran through."""
    output = tmp_path_factory.mktemp("whole") / "data.h5"
    computed([smiles], output, processes=2, **OPTIONS)
    return output


def test_records_and_failures(uninterrupted):
    dataset = ReferenceDataset.load(uninterrupted)
    assert sorted({r.label for r in dataset}) == ["C#N", "C=O", "N", "O", "[C-]#[O+]"]
    assert sum(r.label == "C=O" for r in dataset) == 2
    assert dataset.provenance["failures"] == 1
    _, failures = collect(uninterrupted.with_name("data.h5.parts"))
    assert failures == [(FAILING, "InputError: the molecule rearranged during relaxation")]


def test_kill_and_restart_gives_the_same_file(smiles, uninterrupted, tmp_path):
    output = tmp_path / "data.h5"
    parts = tmp_path / "data.h5.parts"
    command = [sys.executable, "-c", PROGRAM, str(smiles), str(output)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60.0
    while not list(parts.glob("*.npz")) and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not output.exists()
    finished = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.npz")}
    assert 0 < len(finished) < 5
    computed([smiles], output, processes=1, **OPTIONS)
    assert output.read_bytes() == uninterrupted.read_bytes()
    untouched = {name: (parts / name).stat().st_mtime_ns for name in finished}
    assert untouched == finished, "finished records are not computed again"


def test_restart_of_a_finished_campaign_computes_nothing(smiles, uninterrupted, monkeypatch):
    monkeypatch.setattr(commands, "run_jobs", lambda function, jobs, *_: list(jobs) == [] or 1 / 0)
    before = uninterrupted.read_bytes()
    computed([smiles], uninterrupted, **OPTIONS)
    assert uninterrupted.read_bytes() == before


def test_collect_only_and_summary(uninterrupted, tmp_path, capsys):
    output = tmp_path / "data.h5"
    os.symlink(uninterrupted.with_name("data.h5.parts"), tmp_path / "data.h5.parts")
    computed([], output, backend="gpu4pyscf", collect_only=True)  # not installed here
    assert output.read_bytes() == uninterrupted.read_bytes()
    text = capsys.readouterr().out
    assert "6 records of 5 molecules" in text
    assert "rearranged" in text


@pytest.mark.filterwarnings("ignore")
def test_dask_gives_the_same_file(smiles, uninterrupted, tmp_path):
    distributed = pytest.importorskip("distributed")
    output = tmp_path / "data.h5"
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        computed([smiles], output, scheduler=cluster.scheduler_address, **OPTIONS)
    assert output.read_bytes() == uninterrupted.read_bytes()


def test_recompute_a_dataset_at_another_level(uninterrupted, tmp_path):
    output = tmp_path / "other.h5"
    options = OPTIONS | {"basis": "def2-svp", "forces": True}
    computed([uninterrupted], output, processes=1, **options)
    old, new = ReferenceDataset.load(uninterrupted), ReferenceDataset.load(output)
    assert len(new) == len(old)
    for a, b in zip(old, new, strict=True):
        assert (a.label, a.origin, a.molecule) == (b.label, b.origin, b.molecule)
        np.testing.assert_allclose(a.structure.positions, b.structure.positions, atol=1e-12)
        assert b.energy < a.energy
        assert b.forces is not None


def test_other_settings_are_refused(smiles, uninterrupted):
    with pytest.raises(ParameterError, match="other settings"):
        computed([smiles], uninterrupted, seed=5, **OPTIONS)


def die_or_pass(text):
    """Job of the test below; must be importable by the workers."""
    if text == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return None if text == "good" else text


def test_a_killed_worker_costs_one_job():
    jobs = ["good", "kill", "good", "bad", "good"]
    seen, given_up = [], []
    run_jobs(
        die_or_pass,
        jobs,
        2,
        lambda job, reason: seen.append((job, reason)),
        lambda job, reason: given_up.append((job, reason)),
    )
    assert given_up == [("kill", KILLED)]
    assert sorted(seen) == sorted([("good", None)] * 3 + [("kill", KILLED), ("bad", "bad")])


def test_an_unexpected_error_is_a_failure_of_one_molecule(tmp_path, monkeypatch):
    monkeypatch.setattr("mlsemi.training.reference.campaign.reference_record", lambda *_: 1 / 0)
    job = Job("O", inchikey("O"))
    open_folder(tmp_path, Sampling(), LEVEL)
    assert compute(job, Sampling(), LEVEL, tmp_path) == "ZeroDivisionError: division by zero"
    assert pending([job, job], tmp_path) == []
    with pytest.raises(ParameterError, match="1 failed, first: ZeroDivisionError"):
        collect(tmp_path)


def test_geometries_follow_label_and_seed_only():
    job = Job("CO", inchikey("CO"), frames=2)
    first = geometries(job, Sampling(temperatures=(300.0,)))
    again = geometries(job, Sampling(temperatures=(300.0,)))
    other = geometries(job, Sampling(temperatures=(300.0,), seed=1))
    for (a, *_), (b, *_), (c, *_) in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
        assert np.abs(a.positions - c.positions).max() > 1e-3
    assert [origin for *_, origin in first] == [
        "GFN2-xTB Langevin 300 K frame 0",
        "GFN2-xTB Langevin 300 K frame 1",
    ]
    assert np.abs(first[0][0].positions - first[1][0].positions).max() > 1e-3


def test_a_stretch_moves_one_side_of_one_bond_along_it():
    sampling = Sampling(temperatures=(0.0,), stretches=4)
    (relaxed, _, origin), *stretched = geometries(Job("NC1CC1", inchikey("NC1CC1")), sampling)
    assert len(stretched) == 4
    assert len({text for *_, text in stretched}) == 4
    for frame, _, text in stretched:
        bond, factor = re.fullmatch(rf"{origin}, bond (\d+-\d+) times (.*)", text).groups()
        i, j = map(int, bond.split("-"))
        assert bonds_of("NC1CC1")[i, j]
        assert not {i, j} <= {1, 2, 3}, "a bond of the ring"
        assert frame.get_distance(i, j) == pytest.approx(
            float(factor) * relaxed.get_distance(i, j), abs=1e-3
        )
        moved = np.linalg.norm(frame.positions - relaxed.positions, axis=1) > 1e-9
        for side in (moved, ~moved):
            kept = relaxed[side].get_all_distances()
            np.testing.assert_allclose(frame[side].get_all_distances(), kept, atol=1e-9)
        assert moved[j]
        assert not moved[i]


def test_no_stretch_where_every_bond_is_in_a_ring():
    atoms = Atoms("N4", [(0, 0, 0), (1.4, 0, 0), (1.4, 1.4, 0), (0, 1.4, 0)])
    job = Job("N4", "N4", atoms, frames=0)
    assert [origin for *_, origin in geometries(job, Sampling(stretches=3))] == ["given"]


@pytest.mark.parametrize("text", ["O.C=C", "CO.CO", "O.O"])
def test_dimers_relax_without_reacting(text):
    atoms, charge = embed(text, seed_of(text, 0))
    bonds = bonds_of(text)
    np.testing.assert_array_equal(bond_graph(atoms), bonds)
    relaxed = relax(atoms, charge, bonds=bonds)
    assert not has_reacted(relaxed, bonds)
    between = relaxed.get_all_distances()[:, 0]
    assert between.max() < 8.0


def test_reactions_are_noticed():
    atoms, bonds = molecule("H2O"), bonds_of("O")
    assert not has_reacted(atoms, bonds)
    atoms.set_distance(0, 1, 1.6, fix=0)
    assert has_reacted(atoms, bonds)
    two = molecule("H2O") + molecule("H2O")
    two.positions[3:] += (0.0, 0.0, -1.2)
    assert has_reacted(two, bonds_of("O.O"))


def test_smiles_file(tmp_path):
    path = tmp_path / "list.smi"
    path.write_text("CCO 3 # ethanol\nC#N\n\n# end\n")
    first, second = jobs_of_smiles(path, frozenset())
    assert (first.label, first.frames, second.label, second.frames) == ("CCO", 3, "C#N", None)
    assert first.molecule == "LFQSCWFLJHTTHZ-UHFFFAOYSA-N"
    hashed = hashlib.sha256(first.molecule.encode()).hexdigest()
    assert [job.label for job in jobs_of_smiles(path, frozenset({hashed}))] == ["C#N"]
    path.write_text("CCO\nnot a molecule\n")
    with pytest.raises(InputError, match="line 2"):
        jobs_of_smiles(path, frozenset())


def test_structure_files(tmp_path):
    path = tmp_path / "two.xyz"
    frames = [molecule("CH3CH2OH"), molecule("CH3CH2OH"), molecule("H2CO")]
    frames[1].rattle(0.05, seed=1)
    write(path, frames)
    jobs = jobs_of(path, None, frozenset())
    assert [job.label for job in jobs] == ["two.xyz#0", "two.xyz#1", "two.xyz#2"]
    assert [job.frames for job in jobs] == [0, 0, 0]
    assert jobs[0].molecule == jobs[1].molecule == "LFQSCWFLJHTTHZ-UHFFFAOYSA-N"
    assert len({job.key for job in jobs}) == 3
    hashed = hashlib.sha256(inchikey("C=O").encode()).hexdigest()
    assert len(jobs_of(path, None, frozenset({hashed}))) == 2
    assert smiles_of(frames[2], 0) == "C=O"
    ((atoms, charge, origin),) = geometries(jobs[0], Sampling())
    np.testing.assert_allclose(atoms.positions, frames[0].positions, atol=1e-7)
    assert (charge, origin) == (0, "given")


def test_what_a_structure_file_says_is_heard(tmp_path):
    path = tmp_path / "ion.xyz"
    rows = "N 0 0 0\nH 0.6 0.6 0.6\nH -0.6 -0.6 0.6\nH -0.6 0.6 -0.6\nH 0.6 -0.6 -0.6\n"
    path.write_text(f"5\nnet_charge=1\n{rows}")
    (job,) = jobs_of(path, None, frozenset())
    assert job.charge == 1
    path.write_text(f"4\nthe cation of ammonia\n{rows[:-19]}")
    with pytest.warns(InputWarning, match=r"ion.xyz, frame 0: looks like a charge.*'cation'"):
        jobs_of(path, None, frozenset())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"inputs": []}, "no input"),
        ({"inputs": ["absent.smi"]}, "absent.smi"),
        ({"output": "nowhere/out.h5"}, "nowhere"),
        ({"frames": 0}, "at least 1"),
        ({"frames": -1}, "frames = -1: should be greater"),
        ({"temperatures": ()}, "temperatures"),
        ({"temperatures": (-5.0,)}, "temperatures"),
        ({"stretches": -1}, "stretches = -1: should be greater"),
        ({"processes": 0}, "processes"),
        ({"method": "b3lipp"}, "functional"),
        ({"grid": 10}, "grid level 10"),
        ({"heavy_atoms": 0}, "no molecule is left"),
        ({"exclude": "absent.txt"}, "absent.txt"),
        ({"exclude": "few.smi"}, "sha256"),
    ],
)
def test_wrong_options(change, text, smiles, tmp_path, monkeypatch):
    monkeypatch.chdir(smiles.parent)
    arguments = {"inputs": [smiles], "output": tmp_path / "out.h5"} | OPTIONS | change
    with pytest.raises(InputError, match=text):
        computed(**arguments)
    assert not list(tmp_path.iterdir())


def test_a_missing_program_is_named(monkeypatch, smiles, tmp_path):
    real = commands.importlib.util.find_spec
    monkeypatch.setattr(
        commands.importlib.util, "find_spec", lambda name: None if name == "pyscf" else real(name)
    )
    with pytest.raises(MlsemiError, match=r"need pyscf: pip install mlsemi\[reference\]"):
        computed([smiles], tmp_path / "out.h5")


def test_known_molecules_are_not_computed_again(tmp_path):
    first, both = tmp_path / "first.smi", tmp_path / "both.smi"
    first.write_text("[H][H]\n")
    both.write_text("[H][H]\nO\n")
    options = OPTIONS | {"temperatures": (0.0,), "processes": 1, "forces": True}
    computed([first], tmp_path / "first.h5", **options)
    rest = computed([both], tmp_path / "rest.h5", skip=[tmp_path / "first.h5"], **options)
    assert [record.label for record in rest] == ["O"]
    with pytest.raises(InputError, match="empty, excluded or known"):
        computed([first], tmp_path / "none.h5", skip=[tmp_path / "first.h5"], **options)


def test_geometries_of_surfaces_are_computed_again(tmp_path):
    """One geometry of each molecule that is small enough, with its valence levels alone."""
    rng = np.random.default_rng(0)
    given = []
    for name in ("H2O", "H2CO", "CH3OH"):
        for _ in range(2):
            s = distorted(name, seed=int(rng.integers(100)))
            bare = np.zeros((s.n_atom, 3)), np.zeros(s.n_atom), np.zeros(3)
            given.append(Surface(s, 0.0, *bare, f"{name:>27}".replace(" ", "X")))
    source, output = tmp_path / "cheap.h5", tmp_path / "dear.h5"
    save_surfaces(source, given)
    options = OPTIONS | {"grid": 0, "heavy_atoms": 1, "lean": True}
    (found,) = computed([source], output, **options)
    assert found.molecule.endswith("H2O")
    assert any(
        np.allclose(s.structure.positions, found.structure.positions, atol=1e-5)
        for s in given
        if s.molecule == found.molecule
    )
    whole = reference_record(found.structure, "", "", "", replace(LEVEL, grid=0))
    n = whole.n_core + whole.n_occupied
    np.testing.assert_allclose(found.orbital_energies[:n], whole.orbital_energies[:n], atol=1e-6)
    kept = whole.energies[whole.valence_virtuals]
    np.testing.assert_allclose(found.energies[found.valence_virtuals], kept, atol=1e-6)
    np.testing.assert_allclose(found.hamiltonian, whole.hamiltonian, atol=1e-5)
    assert found.dipole_matrix is None
    assert ReferenceDataset.load(output).provenance["lean"]
    listed = hashlib.sha256(found.molecule.encode()).hexdigest()
    others = [job.molecule for job in jobs_of(source, None, frozenset({listed}))]
    assert sorted(others) == sorted({s.molecule for s in given} - {found.molecule})
    np.testing.assert_allclose(found.charges, whole.charges, atol=1e-5)
    order = [job.label for job in jobs_of(source, None, frozenset())]
    assert sorted(order) == sorted({s.molecule for s in given})
    assert order == [job.label for job in jobs_of(source, None, frozenset())]
    rest = tmp_path / "rest.h5"
    with pytest.raises(InputError, match="no molecule is left"):
        computed([source], rest, skip=[output], **options)


def test_a_smiles_string_is_known_by_the_inchikey_of_a_record():
    water = Job("O", inchikey("O"))
    assert is_known(water, {water.molecule})
    assert is_known(water, {"O"})
    assert not is_known(water, {"N"})
    geometry = replace(water, label="water.xyz#1", atoms=distorted("H2O", seed=0).to_ase())
    assert not is_known(geometry, {water.molecule})
