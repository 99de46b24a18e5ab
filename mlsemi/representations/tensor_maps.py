"""Features as metatensor's TensorMaps and back: the format in which atomistic tools exchange them.

Keys are (o3_lambda, o3_sigma), components o3_mu = -l..l, properties a number; samples are labelled
by the atoms they belong to. Signs and order of the components are the same on both sides
(featomic's as well), so nothing but names changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlsemi.errors import InputError
from mlsemi.representations.neighbours import Neighbours
from mlsemi.symmetry.tensors import Irrep, Tensors

PAIR = ("system", "first_atom", "second_atom")
SAMPLES = {
    2: ("system", "atom"),
    3: PAIR,
    4: (*PAIR, "third_atom"),
    6: (*PAIR, "cell_shift_a", "cell_shift_b", "cell_shift_c"),
    10: (*PAIR, "third_atom", *(f"{n}_shift_{x}" for n in ("second", "third") for x in "abc")),
}
"""Names by the number of columns; in a cell the translations of the other atoms come last."""


def _metatensor() -> Any:
    try:
        import metatensor
    except ImportError:
        raise InputError("metatensor is not there: pip install 'mlsemi[metatensor]'") from None
    return metatensor


def samples_of(
    neighbours: Neighbours, centers: np.ndarray | None = None, shifts: np.ndarray | None = None
) -> np.ndarray:
    """(n_sample, 1 + n_center) system and atoms within it, and translations if they are given.

    Parameters
    ----------
    neighbours : Neighbours
        Of the structures that the features belong to.
    centers : (n_sample, n_center) int array, optional
        Atoms of the concatenated structures; every atom without it. Of pairs:
        ``np.stack([neighbours.first, neighbours.second], axis=1)``.
    shifts : (n_sample, 3 (n_center - 1)) int array, optional
        Of the other atoms, in cell vectors, which tell images apart: ``neighbours.shift`` of pairs.
    """
    centers = np.arange(neighbours.n_atom)[:, None] if centers is None else centers
    system = np.searchsorted(neighbours.start, centers[:, 0], side="right") - 1
    columns = [system, centers - neighbours.start[system][:, None]]
    return np.column_stack(columns if shifts is None else [*columns, shifts])


def tensor_map(tensors: Tensors, samples: np.ndarray) -> Any:
    """A ``metatensor.TensorMap`` of features.

    Parameters
    ----------
    tensors : mapping of Irrep to (n_sample, 2l+1, n_feature) array
    samples : (n_sample, n_column) int array
        As of :func:`samples_of`.

    Raises
    ------
    InputError
        Without metatensor, for samples of another number, or for images that nothing tells apart.
    """
    mts = _metatensor()
    if len(samples) != len(next(iter(tensors.values()))):
        raise InputError(f"{len(samples)} samples are named, the features have another number")
    if len(np.unique(samples, axis=0)) < len(samples):
        raise InputError(
            "samples have the same name: give the translations of images to samples_of"
        )
    names = SAMPLES[samples.shape[1]]
    rows = mts.Labels(list(names), np.asarray(samples, dtype=np.int32))
    blocks = [
        mts.TensorBlock(
            values=np.ascontiguousarray(value),
            samples=rows,
            components=[
                mts.Labels("o3_mu", np.arange(-irrep.l, irrep.l + 1, dtype=np.int32)[:, None])
            ],
            properties=mts.Labels.range("property", value.shape[2]),
        )
        for irrep, value in tensors.items()
    ]
    keys = np.array([[irrep.l, irrep.sigma] for irrep in tensors], dtype=np.int32)
    return mts.TensorMap(mts.Labels(["o3_lambda", "o3_sigma"], keys), blocks)


def tensors_of(tensor: Any) -> tuple[dict[Irrep, np.ndarray], np.ndarray]:
    """Inverse of :func:`tensor_map`: features and samples.

    Parameters
    ----------
    tensor : metatensor.TensorMap
        Keys ``o3_lambda`` and perhaps ``o3_sigma`` (+1 without). Other keys, as featomic's species,
        are moved first: ``tensor.keys_to_properties`` for those of neighbours,
        ``tensor.keys_to_samples`` for those of centers.

    Raises
    ------
    InputError
        For other keys, or blocks whose samples differ.
    """
    names = tensor.keys.names
    if "o3_lambda" not in names or set(names) - {"o3_lambda", "o3_sigma"}:
        raise InputError(
            f"keys {', '.join(names)}: need o3_lambda and o3_sigma; move the others to "
            "properties (neighbours) or samples (centers)"
        )
    out: dict[Irrep, np.ndarray] = {}
    samples: Sequence[Any] = tensor.block(0).samples.values
    for key, block in tensor.items():
        irrep = Irrep(int(key["o3_lambda"]), int(key["o3_sigma"]) if "o3_sigma" in names else 1)
        if not np.array_equal(block.samples.values, samples):
            raise InputError("blocks have different samples: features of one set have the same")
        out[irrep] = np.asarray(block.values)
    return out, np.asarray(samples)
