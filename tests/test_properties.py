"""Any geometry of any composition: finite numbers that obey the sum rules."""

import json

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from molecules import parameters_of, random_model

from mlsemi.errors import InputError
from mlsemi.evaluate import singlepoint
from mlsemi.model.applicability import has_energy
from mlsemi.molecule.structure import Structure, lowest_multiplicity

PARAMETERS = parameters_of(random_model(seed=2))


@st.composite
def structures(draw):
    """1 to 9 atoms anywhere in boxes from crowded to dilute, any charge and spin that fit."""
    numbers = draw(st.lists(st.sampled_from([1, 6, 7, 8]), min_size=1, max_size=9))
    seed = draw(st.integers(0, 2**32 - 1))
    box = draw(st.sampled_from([3.0, 6.0, 12.0, 40.0]))
    charge = draw(st.integers(-3, 3))
    x = np.random.default_rng(seed).uniform(-box, box, (len(numbers), 3))
    try:
        lowest = lowest_multiplicity(np.array(numbers), charge)
        return Structure(numbers, x, charge, lowest + draw(st.sampled_from([0, 0, 2])))
    except InputError:
        assume(False)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(structures())
def test_random_geometries_give_finite_results(structure):
    known = has_energy(structure)
    result = singlepoint(structure, parameters=PARAMETERS, forces=known)
    for value in (
        result.state.energies,
        result.state.orbitals,
        result.charges,
        result.mulliken_charges,
        result.dipole,
        result.bond_orders,
        *((result.energy, result.forces) if known else ()),
    ):
        assert np.isfinite(value).all()
    assert abs(result.charges.sum() - structure.charge) < 1e-10
    if known:
        scale = max(1.0, np.abs(result.forces).max())
        assert np.abs(result.forces.sum(axis=0)).max() < 1e-9 * scale
    json.dumps(result.to_dict())
