"""``mlsemi surfaces --dynamics``: the geometries where a parameter set is least at home."""

import numpy as np
import pytest

from mlsemi import singlepoint
from mlsemi.parameters import Parameters
from mlsemi.structure import Structure
from mlsemi.training.auxiliary import load_surfaces
from mlsemi.training.exploration import explored_surfaces, strangeness
from mlsemi.training.geometries import bonds_of, embed, has_reacted, inchikey
from mlsemi.training.surface_lists import surfaces_of_list

RELEASED = "organic-1"
PARAMETERS = Parameters.load(RELEASED)


def methanol(scale):
    """With all distances scaled; every atom still has a usual bond."""
    atoms, _ = embed("CO", 1)
    atoms.positions *= scale
    return Structure.from_ase(atoms)


def test_strangeness_is_what_the_warning_says():
    """Beyond one exactly where a single point warns of the surroundings of an atom."""
    at = {scale: strangeness(methanol(scale), PARAMETERS) for scale in (0.82, 0.9, 1.0, 1.1)}
    assert at[1.0] < 1.0 < at[0.82]
    for scale, value in at.items():
        warned = any("domain" in text for text in singlepoint(methanol(scale)).warnings)
        assert warned == (value > 1.0), scale


@pytest.mark.parametrize("smiles", ["[NH4+]", "CBr"])
def test_charged_molecules_and_unknown_elements_have_none(smiles):
    assert explored_surfaces((smiles, inchikey(smiles)), 1, RELEASED) == []


def test_the_geometry_is_strange_and_the_results_are_the_sets_own(tmp_path):
    """Nothing is kept of a molecule that stays at home; the same file however it is computed."""
    smiles = ("OCC=O", "C", "OO", "N#CC#N", "C=CO")
    path = tmp_path / "list.smi"
    path.write_text("\n".join(smiles) + "\n")
    files = [tmp_path / f"{n}.h5" for n in (1, 2)]
    for processes, file in enumerate(files, start=1):
        surfaces_of_list([path], file, dynamics=RELEASED, processes=processes, quiet=True)
    one, two = (load_surfaces(file) for file in files)
    assert 0 < len(one) == len(two) < len(smiles)
    names = {inchikey(text): text for text in smiles}
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.structure.positions, b.structure.positions)
        reacted = has_reacted(a.structure.to_ase(), bonds_of(names[a.molecule]))
        assert reacted or strangeness(a.structure, PARAMETERS) > 1.0
        result = singlepoint(a.structure, forces=True)
        assert result.energy == pytest.approx(a.energy, abs=1e-4)
        np.testing.assert_allclose(result.forces, a.forces, atol=1e-3)
        np.testing.assert_allclose(result.charges, a.charges, atol=1e-3)
