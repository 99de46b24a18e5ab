"""What is refused as a reference, before anything is computed."""

import pytest
from computed import computed
from test_campaign import OPTIONS

from mlsemi.errors import InputError
from mlsemi.training.reference.inputs import jobs_of


@pytest.mark.filterwarnings("ignore::mlsemi.errors.InputWarning")
@pytest.mark.parametrize(
    ("frame", "multiplicity"),
    [
        ("2\n\nO 0 0 0\nH 0 0 0.97\n", 2),
        ("2\ncharge=1\nN 0 0 0\nN 0 0 1.1\n", 2),
        ("2\nmultiplicity=3\nO 0 0 0\nO 0 0 1.2\n", 3),
        ("2\nuhf=2\nO 0 0 0\nO 0 0 1.2\n", 3),
    ],
)
def test_open_shells_are_refused(tmp_path, frame, multiplicity):
    path = tmp_path / "open.xyz"
    path.write_text("2\n\nH 0 0 0\nH 0 0 0.74\n" + frame)
    with pytest.raises(
        InputError, match=f"open.xyz, frame 1: multiplicity {multiplicity}: references are closed"
    ):
        jobs_of(path, None, frozenset())
    with pytest.raises(InputError, match=r"open.xyz, frame 1: multiplicity"):
        computed(inputs=[path], output=tmp_path / "out.h5", **OPTIONS)
    assert not (tmp_path / "out.h5").exists()
