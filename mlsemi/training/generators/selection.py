"""Which molecules to compute next: farthest-point sampling on the model's own features."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from mlsemi.errors import InputError
from mlsemi.model.model import Model
from mlsemi.model.terms.domain import standardised
from mlsemi.molecule.pairs import PairList
from mlsemi.molecule.structure import Structure
from mlsemi.outputs import complete_or_absent
from mlsemi.parameters import Parameters
from mlsemi.symmetry.selection import farthest_points
from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.data.geometries import embed, seed_of


def molecule_features(structures: Sequence[Structure], model: Model) -> np.ndarray:
    """One row per structure: mean invariants of its atoms, species by species.

    x_(A,ak) = 1/n_A sum_(i in A, a_i = a) (I_ik - c_ak) / s_ak with center c and spread s of the
    training set, so that the Euclidean distance of two rows weighs every invariant alike.

    Parameters
    ----------
    structures : sequence of Structure
    model : Model

    Returns
    -------
    (n_structure, n_species n_invariant) array
    """
    form, w = model.form, model.weights
    rows = []
    for structure in structures:
        pairs = PairList.of([structure], form.elements, form.cutoff)
        scaled = standardised(pairs.species, model.invariants(pairs), w)
        row = np.zeros((len(form.elements), scaled.shape[1]))
        np.add.at(row, pairs.species, scaled / structure.n_atom)
        rows.append(row.ravel())
    return np.array(rows)


def select(
    candidates: str | os.PathLike[str],
    number: int,
    output: str | os.PathLike[str],
    known: Sequence[str | os.PathLike[str]] = (),
    parameters: str = "organic-1",
    seed: int = 0,
    quiet: bool = False,
) -> list[str]:
    """Choose the molecules of a SMILES list that differ most from known ones and each other.

    Parameters
    ----------
    candidates : path
        Text file, one SMILES per line; embedded with RDKit.
    number : int
        How many to choose.
    output : path
        SMILES list to write, the most different first.
    known : sequence of path
        Datasets whose molecules need no second calculation.
    parameters : str
        Parameter set whose features are used.
    seed : int
        Of the embedding.
    quiet : bool
        No progress bar and no list of molecules left out.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If the list cannot be read or nothing in it can be used.
    """
    from mlsemi.training.reference.campaign import jobs_of_smiles

    model = Parameters.load(parameters).model
    there = [r for r in ReferenceDataset.load(*known) if _covers(model, r.structure)]
    labels = {record.label for record in there}
    names: list[str] = []
    structures: list[Structure] = []
    jobs = [job for job in jobs_of_smiles(candidates, frozenset()) if job.label not in labels]
    console = Console(stderr=True, quiet=quiet)
    for job in track(jobs, "embedding", console=console, disable=quiet):
        try:
            structure = Structure.from_ase(*embed(job.label, seed_of(job.label, seed)))
        except InputError as error:
            console.print(f"left out: {error}", markup=False)
            continue
        if _covers(model, structure):
            names.append(job.label)
            structures.append(structure)
    if not names:
        raise InputError(f"{candidates}: no molecule that the model knows and no dataset holds")
    x = molecule_features([*(r.structure for r in there), *structures], model)
    order = farthest_points(x, number, known=len(there))
    chosen = [names[row - len(there)] for row in order]
    with complete_or_absent(output) as temporary:
        Path(temporary).write_text("".join(f"{name}\n" for name in chosen))
    return chosen


def _covers(model: Model, structure: Structure) -> bool:
    return set(structure.numbers.tolist()) <= set(model.form.elements)
