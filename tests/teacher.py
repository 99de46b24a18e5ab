"""Reference records that a model wrote: the truth is known, and no PySCF is needed."""

from dataclasses import replace
from itertools import count as count_up
from itertools import islice

import numpy as np
from molecules import baseline_only, distorted, random_model

from mlsemi.evaluate import singlepoint
from mlsemi.excited.excitations import excite
from mlsemi.excited.intensities import lengths
from mlsemi.ground.state import ground_state
from mlsemi.model.model import Model
from mlsemi.molecule.pairs import PairList
from mlsemi.training.data.dataset import Reference, ReferenceDataset, split_of
from mlsemi.training.data.surfaces import Surface
from mlsemi.training.objective.excitation_cases import case_of
from mlsemi.training.objective.force_matching import forces_of

NAMES = ("H2O", "CH4", "NH3", "H2CO", "CH3OH", "HCN")


def lesson(model, structure, molecule, label="lesson"):
    """What the model says of a structure, as if it came from a large basis."""
    pairs = PairList.of([structure], model.form.elements, model.form.cutoff)
    prediction, record = model.predict(pairs)
    ground = ground_state(model, prediction, 0)
    n = structure.n_orbital
    n_core = int(np.sum(structure.numbers > 1))
    return Reference(
        structure=structure,
        molecule=molecule,
        label=label,
        origin="a teacher",
        energy=ground.energy,
        orbital_energies=np.concatenate([np.full(n_core, -20.0), ground.state.energies]),
        amplitudes=np.concatenate([np.zeros((n, n_core)), ground.state.orbitals], axis=1),
        dipole=ground.dipole,
        quadrupole=np.zeros((3, 3)),
        dipole_matrix=np.zeros((3, n, n)),
        charges_lowdin=ground.charges,
        forces=forces_of(model, prediction, record, [ground], [0])[0],
    )


def random_surfaces(molecules, seed=0):
    """Two geometries per molecule, with energies, forces, charges and dipoles of no method."""
    rng = np.random.default_rng(seed)
    return [
        Surface(
            s,
            float(rng.normal()),
            0.1 * rng.normal(size=(s.n_atom, 3)),
            0.1 * rng.normal(size=s.n_atom),
            rng.normal(size=3),
            molecule,
        )
        for molecule in molecules
        for s in (distorted("H2CO"), distorted("CH3OH"))
    ]


def excited_lesson(parameters, structure, molecule, constants):
    """A lesson with the singlets and triplets that the orbitals give with these constants."""
    record = lesson(parameters.model, structure, molecule)
    state = singlepoint(structure, parameters=parameters).state
    case = case_of(record, state)
    between = case.interaction(constants)
    n, C, found = state.n_occupied, state.orbitals, {}
    for kind in ("singlet", "triplet"):
        states = excite(state, between, 4, kind)
        found[f"{kind}_energies"] = states.energies
        found[f"{kind}_transitions"] = 0.9 * C[:, :n] @ states.amplitudes @ C[:, n:].T
        if kind == "singlet":
            _, strengths = lengths(states, C, case.dipole, constants.moment)
            found["singlet_strengths"] = strengths
    return replace(record, **found)


def named_in(split, count):
    """Molecule names that fall into one split of the dataset."""
    names = (f"TEACHER{k}-X" for k in count_up())
    return list(islice((name for name in names if split_of(name) == split), count))


def lessons(model, n_train=12, n_validation=4):
    """A dataset with both splits, every structure another geometry."""
    names = named_in("train", n_train) + named_in("validation", n_validation)
    return ReferenceDataset(
        tuple(
            lesson(model, distorted(NAMES[k % len(NAMES)], seed=k, amplitude=0.08), name)
            for k, name in enumerate(names)
        ),
        {"method": "a teacher"},
    )


def two_center_teacher(seed=0):
    """Levels and two-center functions only; energies are sums over atoms."""
    model = baseline_only(random_model(seed=seed))
    silent = {name: np.zeros_like(model.weights[name]) for name in ("energy.out", "dipole.atom")}
    return Model(model.form, dict(model.weights) | silent)
