"""Many single points from Python: the same results, in order, names kept, failures as records."""

import numpy as np
import pytest
from ase.build import molecule

import mlsemi
from mlsemi.batch import Failure
from mlsemi.errors import InputError
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters


def few():
    named = molecule("CH4")
    named.info["name"] = "methane"
    return [molecule("H2O"), named, Structure.from_ase(molecule("NH3")), molecule("H2CO")]


@pytest.mark.parametrize("processes", [1, 2])
def test_results_are_those_of_single_points(processes):
    alone = [mlsemi.singlepoint(source, singlets=2, forces=True) for source in few()]
    together = list(mlsemi.singlepoints(few(), singlets=2, forces=True, processes=processes))
    assert [r.name for r in together] == ["", "methane", "", ""]
    for one, other in zip(alone, together, strict=True):
        assert one.energy == other.energy
        assert one.parameters.checksum == other.parameters.checksum
        np.testing.assert_array_equal(one.forces, other.forces)
        np.testing.assert_array_equal(one.singlets.energies, other.singlets.energies)
        before, after = one.to_dict(), other.to_dict()
        for record in (before, after):
            record.pop("timings_s")
            record.pop("name", None)
        assert before == after


def test_failures_stand_in_their_places():
    sources = [molecule("H2O"), "none.xyz", molecule("CH3"), "smiles:C"]
    first, second, third, last = mlsemi.singlepoints(sources, forces=True, on_error="keep")
    assert (first.structure.formula, last.structure.formula) == ("H2O", "CH4")
    assert isinstance(second, Failure)
    assert second.to_dict()["error"] == "none.xyz: no such file"
    assert (third.index, third.file) == (2, "")
    assert str(third.error).startswith("structure 2: ")
    with pytest.raises(InputError, match=r"none\.xyz"):
        list(mlsemi.singlepoints(sources))


def test_every_frame_of_a_path_counts(tmp_path):
    path = tmp_path / "many.smi"
    path.write_text("C methane\nO water\n")
    found = list(mlsemi.singlepoints(path))
    assert [r.name for r in found] == ["methane", "water"]
    assert [r.to_dict()["name"] for r in found] == ["methane", "water"]
    assert len(list(mlsemi.singlepoints([path, path]))) == 4


def test_nothing_is_computed_before_it_is_wanted():
    def sources():
        yield molecule("H2O")
        raise AssertionError("asked for the second")

    assert next(mlsemi.singlepoints(sources())).structure.formula == "H2O"


def test_what_makes_no_sense_is_refused():
    loaded = Parameters.load("organic-1")
    assert next(mlsemi.singlepoints([molecule("H2O")], parameters=loaded)).energy < 0.0
    for sources, options, reason in (
        ([], {"on_error": "ignore"}, "on_error='ignore'"),
        (molecule("H2O"), {}, "a list of"),
        ([], {"parameters": loaded, "processes": 2}, "name or path of the parameter set"),
    ):
        with pytest.raises(InputError, match=reason):
            list(mlsemi.singlepoints(sources, **options))
