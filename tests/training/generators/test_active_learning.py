"""``mlsemi surfaces --dynamics``: the geometries where a parameter set is least at home."""

from dataclasses import replace

import numpy as np
import pytest
from computed import surfaces

from mlsemi import singlepoint
from mlsemi.errors import InputError
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters, checksum_of
from mlsemi.training.data.dataset import split_of
from mlsemi.training.data.geometries import embed, inchikey
from mlsemi.training.data.surfaces import load_surfaces
from mlsemi.training.generators.active_learning import explored_surfaces, strangeness

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


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """The released set with a hundredth of the training domain around oxygen."""
    limit = PARAMETERS.model.weights["domain.limit"].copy()
    limit[PARAMETERS.elements.index("O")] *= 0.01
    weights = dict(PARAMETERS.model.weights) | {"domain.limit": limit}
    checksum = checksum_of(weights, PARAMETERS.header["excitation"])
    path = tmp_path_factory.mktemp("sets") / "narrow"
    replace(
        PARAMETERS,
        model=replace(PARAMETERS.model, weights=weights),
        header=dict(PARAMETERS.header) | {"checksum": checksum},
        checksum=checksum,
    ).save(path)
    return str(path)


def test_the_geometry_is_strange_and_the_results_are_the_sets_own(narrow, tmp_path):
    """Nothing is kept of a molecule that stays at home; the same file however it is computed."""
    smiles = ("CCC", "C=C", "O", "CO", "C=O", "CCO")
    path = tmp_path / "list.smi"
    path.write_text("\n".join(smiles) + "\n")
    files = [tmp_path / f"{n}.h5" for n in (1, 2)]
    for processes, file in enumerate(files, start=1):
        surfaces("dynamics", [path], file, narrow, processes)
    one, two = (load_surfaces(file) for file in files)
    taught = {inchikey(text) for text in smiles if split_of(inchikey(text)) == "train"}
    with_oxygen = {inchikey(text) for text in smiles if "O" in text} & taught
    assert taught - with_oxygen
    assert with_oxygen <= {s.molecule for s in one} < taught
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.structure.positions, b.structure.positions)
        assert strangeness(a.structure, Parameters.load(narrow)) > 1.0
        result = singlepoint(a.structure, parameters=narrow, forces=True)
        assert result.energy == pytest.approx(a.energy, abs=1e-4)
        np.testing.assert_allclose(result.forces, a.forces, atol=1e-3)
        np.testing.assert_allclose(result.charges, a.charges, atol=1e-3)


def test_a_set_that_is_at_home_everywhere(tmp_path):
    path = tmp_path / "list.smi"
    path.write_text("CCC\nC=C\n")
    with pytest.raises(InputError, match="strange to organic-1"):
        surfaces("dynamics", [path], tmp_path / "out.h5", RELEASED)
    assert not (tmp_path / "out.h5").exists()


def test_whose_dynamics_has_to_be_said(tmp_path):
    (tmp_path / "list.smi").write_text("CCC\n")
    with pytest.raises(InputError, match=r"out\.h5: parameters: whose dynamics"):
        surfaces("dynamics", [tmp_path / "list.smi"], tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()
