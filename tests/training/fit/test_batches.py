"""Parts of a batch side by side: what a process cannot do is said by the one that waits for it."""

import os
import signal
import sys

import numpy as np
import pytest

from mlsemi.errors import ConvergenceError, MlsemiError
from mlsemi.model.terms.architecture import ModelForm
from mlsemi.training.fit.batches import Examples, Part, side_by_side
from mlsemi.training.objective.loss import LossWeights

NOTHING = Examples(ModelForm((1,)), (), (), LossWeights())
PARTS = [Part(np.arange(0), [], [], [1], [])] * 2


def killed(self, weights, part):
    os.kill(os.getpid(), signal.SIGKILL)


def without_gradient(self, weights, part):
    raise ConvergenceError("a gap has closed")


@pytest.mark.skipif(sys.platform != "linux", reason="threads elsewhere")
def test_a_killed_process_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setattr(Examples, "loss", killed)
    with (
        side_by_side(NOTHING, 2) as losses_of,
        pytest.raises(MlsemiError, match=r"was killed.*continues the run"),
    ):
        losses_of({}, PARTS)


@pytest.mark.parametrize("number", [1, 2])
def test_errors_come_through(monkeypatch, number):
    monkeypatch.setattr(Examples, "loss", without_gradient)
    with (
        side_by_side(NOTHING, number) as losses_of,
        pytest.raises(ConvergenceError, match="a gap has closed"),
    ):
        losses_of({}, PARTS)
