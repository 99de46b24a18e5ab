"""Memory is asked for beforehand, and what is freed is kept: no new pages the second time."""

import subprocess
import sys

import pytest
from ase.build import molecule
from tiny import write_tiny_parameters

from mlsemi import singlepoint
from mlsemi.errors import InputError
from mlsemi.machine import memory
from mlsemi.machine.memory import keep_freed_memory
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters


def test_a_calculation_leaves_the_allocator_of_its_host_alone():
    code = """
from ase import Atoms
from mlsemi import singlepoint
from mlsemi.machine.memory import keep_freed_memory
singlepoint(Atoms("H2", [(0, 0, 0), (0, 0, 0.74)]))
print(keep_freed_memory.cache_info().misses)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_what_does_not_fit_is_refused_in_one_line(tmp_path, monkeypatch):
    """Orbitals of benzene on a machine without memory; energy and forces need none of them."""
    parameters = Parameters.load(write_tiny_parameters(tmp_path / "tiny"))
    structure = Structure.from_ase(molecule("C6H6"))
    monkeypatch.setattr(memory, "LARGE", 0)
    singlepoint(structure, parameters=parameters)
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.raises(
        InputError, match=r"^30 orbitals need about 0 GB of memory, 0.0 GB are free"
    ):
        singlepoint(structure, parameters=parameters)
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    singlepoint(structure, parameters=parameters)


def test_free_memory_is_what_the_system_and_the_container_say(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "FREE", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    assert memory.free_memory() is None
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    4000 kB\n")
    assert memory.free_memory() == 4096000
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory.free_memory() == 4096000
    (tmp_path / "memory.max").write_text("5000\n")
    assert memory.free_memory() == 4000


@pytest.mark.skipif(sys.platform != "linux", reason="counts page faults as Linux does")
def test_no_page_faults_after_the_first_calculations(tmp_path):
    import resource

    if not keep_freed_memory():
        pytest.skip("not the GNU C library")
    parameters = Parameters.load(write_tiny_parameters(tmp_path / "tiny"))
    structure = Structure.from_ase(molecule("C60"))

    def faults():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        singlepoint(structure, parameters=parameters, forces=True, dispersion=False)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    assert min(faults() for _ in range(8)) < 50
