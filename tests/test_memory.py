"""Freed memory is kept: a repeated calculation touches no new pages."""

import subprocess
import sys

import pytest
from ase.build import molecule
from tiny import write_tiny_parameters

from mlsemi import singlepoint
from mlsemi.memory import keep_freed_memory
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters


def test_a_calculation_leaves_the_allocator_of_its_host_alone():
    code = """
from ase import Atoms
from mlsemi import singlepoint
from mlsemi.memory import keep_freed_memory
singlepoint(Atoms("H2", [(0, 0, 0), (0, 0, 0.74)]))
print(keep_freed_memory.cache_info().misses)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


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
