"""Fitted features and estimators in files that hold no code: arrays, and a tree that names them.

What ``pickle`` would keep, in NumPy's archive: every array is an entry, the entry ``tree`` is JSON.
Only classes of the representation suite are made again, from the values of their fields; nothing in
a file can run.
"""

from __future__ import annotations

import json
import os
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from mlsemi.errors import InputError, ParameterError
from mlsemi.outputs import complete_or_absent

FORMAT = "mlsemi-representation-1"
ROOMS = ("mlsemi.representations.", "mlsemi.symmetry.")
"""Where the classes live that are kept and made again."""


def save(thing: Any, path: str | os.PathLike[str]) -> None:
    """Write features or estimators, fitted or not, alone or in a pipeline.

    Parameters
    ----------
    thing : object
        Of this suite: ``AtomFeatures``, ``PairFeatures``, ``OperatorRegressor``, ..., or a
        scikit-learn pipeline of them.
    path : path

    Raises
    ------
    InputError
        If something in it is of another kind.
    """
    arrays: dict[str, np.ndarray] = {}
    tree = json.dumps({"format": FORMAT, "content": _written(thing, arrays)})
    with complete_or_absent(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, tree=np.array(tree), **arrays)  # type: ignore[arg-type]


def load(path: str | os.PathLike[str]) -> Any:
    """What :func:`save` has written; arrays are read-only.

    Parameters
    ----------
    path : path

    Raises
    ------
    ParameterError
        If the file is missing, damaged, or no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        tree = json.loads(str(arrays.pop("tree")))
        if tree["format"] != FORMAT:
            raise ValueError(tree["format"])
        return _made(tree["content"], arrays)
    except ParameterError:
        raise
    except Exception as error:  # a damaged archive can provoke almost any
        reason = type(error).__name__
        raise ParameterError(
            f"{Path(path).name} cannot be read as features or estimators ({reason})"
        ) from None


def _written(thing: Any, arrays: dict[str, np.ndarray]) -> Any:
    """JSON of anything; arrays go beside it."""
    if isinstance(thing, np.ndarray) and thing.dtype != object:
        arrays[name := f"array{len(arrays)}"] = thing
        return {"array": name}
    if isinstance(thing, np.generic):
        return thing.item()
    if thing is None or isinstance(thing, (bool, int, float, str)):
        return thing
    if isinstance(thing, Pipeline):
        return {"pipeline": _written(list(thing.steps), arrays)}
    if isinstance(thing, dict) or type(thing).__name__ == "mappingproxy":
        return {"dict": [[_written(key, arrays), _written(thing[key], arrays)] for key in thing]}
    if type(thing) in (list, tuple):
        return {type(thing).__name__: [_written(item, arrays) for item in thing]}
    kind = type(thing)
    address = f"{kind.__module__}:{kind.__qualname__}"
    if kind.__module__.startswith(ROOMS) and (is_dataclass(thing) or isinstance(thing, tuple)):
        return {"class": address, "values": _written(_values(thing), arrays)}
    raise InputError(f"{address} cannot be saved: only features and estimators of the suite can")


def _values(thing: Any) -> dict[str, Any]:
    """Fields, and what an estimator has fitted."""
    if isinstance(thing, tuple):
        return thing._asdict()  # type: ignore[attr-defined, no-any-return]
    own = {field.name: getattr(thing, field.name) for field in fields(thing)}
    if isinstance(thing, BaseEstimator):
        own |= vars(thing)
    return own


def _made(tree: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Inverse of :func:`_written`."""
    if not isinstance(tree, dict):
        return tree
    (kind, content), *rest = tree.items()
    if kind == "array":
        arrays[content].setflags(write=False)  # in place: the order in memory decides last bits
        return arrays[content]
    if kind == "pipeline":
        return Pipeline(_made(content, arrays))
    if kind == "dict":
        return {_made(key, arrays): _made(value, arrays) for key, value in content}
    if kind in ("list", "tuple"):
        items = [_made(item, arrays) for item in content]
        return items if kind == "list" else tuple(items)
    return _again(content, _made(rest[0][1], arrays))


def _again(address: str, values: dict[str, Any]) -> Any:
    """An object of a class of the suite."""
    room, _, name = address.partition(":")
    if not room.startswith(ROOMS) or not name.isidentifier():
        raise ParameterError(f"{address} is no class of the suite: the file is not read")
    kind = getattr(import_module(room), name)
    if not isinstance(kind, type) or not (is_dataclass(kind) or issubclass(kind, tuple)):
        raise ParameterError(f"{address} is no class of the suite: the file is not read")
    if not is_dataclass(kind):
        return kind(**values)
    given = {field.name for field in fields(kind)}
    made = kind(**{key: value for key, value in values.items() if key in given})
    for key in set(values) - given:
        setattr(made, key, values[key])
    return made
