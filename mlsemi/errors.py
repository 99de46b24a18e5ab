"""What can go wrong, said in one line: what was given, what is allowed, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MlsemiError(Exception):
    """Base of every error that mlsemi raises on purpose; its text is one line for the user."""


class InputError(MlsemiError):
    """The structure, file or option given cannot be used."""


class ElementError(InputError):
    """An element that no parameter set can know; which one does know is for it to say."""


class OutputError(InputError):
    """A file cannot be written; nothing that is computed next could be."""


class ParameterError(MlsemiError):
    """A parameter set or dataset is missing, corrupted or does not cover what was asked."""


class ConvergenceError(MlsemiError):
    """An iterative step did not reach its tolerance."""


class StateError(MlsemiError):
    """The excited state that a calculator follows lies far below the ground state."""


class StateWarning(UserWarning):
    """The excited state that a calculator follows changed its number or was lost."""


class DomainWarning(UserWarning):
    """A geometry is unlike all that parameters or features were fitted to."""


class InputWarning(UserWarning):
    """Something that an input says was read in one of several ways, or not used."""


@contextmanager
def located(place: str) -> Iterator[None]:
    """Prefix ``place`` to the text of any mlsemi error raised inside the block."""
    try:
        yield
    except MlsemiError as error:
        joint = ", " if str(error).startswith("atom ") else ": "
        raise type(error)(f"{place}{joint}{error}") from None
