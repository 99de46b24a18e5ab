"""What can go wrong, said in one line: what was given, what is allowed, what to do."""


class MlsemiError(Exception):
    """Base of every error that mlsemi raises on purpose; its text is one line for the user."""


class InputError(MlsemiError):
    """The structure, file or option given cannot be used."""


class ParameterError(MlsemiError):
    """A parameter set or dataset is missing, corrupted or does not cover what was asked."""


class ConvergenceError(MlsemiError):
    """An iterative step did not reach its tolerance."""


class StateError(MlsemiError):
    """The excited state that a calculator follows lies far below the ground state."""


class StateWarning(UserWarning):
    """The excited state that a calculator follows changed its number or was lost."""


class DomainWarning(UserWarning):
    """A geometry a calculator has reached is unlike all the parameters were trained on."""
