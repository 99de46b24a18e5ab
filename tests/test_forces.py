"""Forces of the released parameters against differences; all of it: ``validation/forces.py``."""

import numpy as np
import pytest
from ase.build import molecule

from mlsemi import singlepoint
from mlsemi.calculators.surface import excited_surface
from mlsemi.molecule.structure import Structure
from mlsemi.parameters import Parameters
from mlsemi.sets.releases import DEFAULT

STEP = 5e-3


def ground(structure, kelvin):
    return singlepoint(structure, forces=True, electronic_temperature=kelvin)


def first_singlet(structure, kelvin):
    return excited_surface(structure, Parameters.load(DEFAULT), 1, electronic_temperature=kelvin)


def across_the_cutoff(amount=0.0):
    """Formaldehyde and water, distorted, with two atoms at the cutoff distance plus ``amount``."""
    rng = np.random.default_rng(2)
    parts = [molecule(name) for name in ("H2CO", "H2O")]
    for part in parts:
        part.positions += 0.15 * rng.normal(size=part.positions.shape)
    first, second = (Structure.from_ase(part).positions for part in parts)
    shift = first[0] - second[0]
    shift[2] += Parameters.load(DEFAULT).model.form.cutoff + amount
    numbers = np.concatenate([part.numbers for part in parts])
    return Structure(numbers, np.concatenate([first, second + shift]))


@pytest.mark.parametrize("kelvin", [0.0, 8000.0])
@pytest.mark.parametrize("evaluate", [ground, first_singlet])
def test_forces_at_the_cutoff(evaluate, kelvin):
    structure = across_the_cutoff()
    forces = evaluate(structure, kelvin).forces
    assert np.abs(forces).max() > 0.02
    for atom, axis in ((0, 2), (4, 2), (1, 0), (5, 1)):
        values = []
        for factor in (1.0, -1.0, 2.0, -2.0):
            x = np.array(structure.positions)
            x[atom, axis] += factor * STEP
            values.append(evaluate(Structure(structure.numbers, x), kelvin).energy)
        slope = (8.0 * (values[0] - values[1]) - values[2] + values[3]) / (12.0 * STEP)
        assert forces[atom, axis] == pytest.approx(-slope, abs=1e-6)


def test_energy_does_not_jump_at_the_cutoff():
    steps = np.array([-2e-3, -1e-3, 0.0, 1e-3, 2e-3])
    energies = np.array([ground(across_the_cutoff(t), 0.0).energy for t in steps])
    assert np.abs(np.diff(energies, 3)).max() < 1e-10
