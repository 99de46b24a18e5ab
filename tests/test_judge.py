"""The judge's verdicts, and its table of limits."""

import importlib.util
import sys
from pathlib import Path

import pytest

from mlsemi.sets.releases import DEFAULT, available, folder_of

FOLDER = Path(__file__).parent.parent / "validation"


@pytest.fixture(scope="module")
def verdicts():
    spec = importlib.util.spec_from_file_location("verdicts", FOLDER / "verdicts.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["verdicts"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["verdicts"]


@pytest.mark.parametrize(
    ("value", "verdict", "passes"),
    [
        (0.044, "ok", True),
        (0.047, "ok", True),
        (0.0471, "ABOVE LIMIT", False),
        (float("nan"), "ABOVE LIMIT", False),
        (None, "REFUSED", False),
    ],
)
def test_a_limit_is_met_or_exceeded(verdicts, value, verdict, passes):
    limit = verdicts.Limit.of_entry({"figure": 0.044, "limit": 0.047})
    assert limit.verdict(value) == verdict
    assert verdicts.Row("", 0.044, value, 0.047, verdict).passes is passes


@pytest.mark.parametrize(
    ("value", "verdict", "passes"),
    [
        (7.3, "known", True),
        (7.31, "WORSE", False),
        (float("nan"), "WORSE", False),
        (1.0, "mended", True),
        (1.01, "known", True),
        (None, "refused", True),
    ],
)
def test_a_known_failure_may_not_get_worse(verdicts, value, verdict, passes):
    limit = verdicts.Limit.of_entry({"known": 7.3, "limit": 1.0})
    assert limit.verdict(value) == verdict
    assert verdicts.Row("", 7.3, value, 1.0, verdict).passes is passes


def test_zero_is_a_limit(verdicts):
    limit = verdicts.Limit.of_entry({"figure": 0, "limit": 0})
    assert limit.verdict(0) == "ok"
    assert limit.verdict(1) == "ABOVE LIMIT"


@pytest.mark.parametrize(
    "entry",
    [
        {"figure": 0.05, "limit": 0.04},
        {"known": 0.03, "limit": 0.04},
        {"figure": 0.03, "known": 0.03, "limit": 0.04},
        {"figure": 0.03},
        {"limit": 0.04},
        {"value": 0.03, "limit": 0.04},
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(verdicts, entry):
    with pytest.raises(ValueError, match=r"limit|unpack"):
        verdicts.Limit.of_entry(entry)


def test_rows(verdicts):
    """Every limit of a measured group needs a value, every value a limit."""
    limit = verdicts.Limit(1.0, 2.0)
    limits = {"one": {"a": limit, "b": limit}, "two": {"c": limit}, "slow": {"d": limit}}
    rows = verdicts.judge(limits, {"one": {"a": 1.5, "new": 0.1}, "two": None})
    assert [(r.name, r.old, r.new, r.limit, r.verdict) for r in rows] == [
        ("one: a", 1.0, 1.5, 2.0, "ok"),
        ("one: b", 1.0, None, 2.0, "MISSING"),
        ("one: new", None, 0.1, None, "NO LIMIT"),
        ("two: c", 1.0, None, 2.0, "REFUSED"),
    ]
    assert [r.passes for r in rows] == [True, False, False, False]


def test_another_set_takes_the_place_of_the_figures(verdicts):
    limits = {"one": {"a": verdicts.Limit(1.0, 2.0)}}
    (row,) = verdicts.judge(limits, {"one": {"a": 1.5}}, {"one": {"a": 0.7}})
    assert (row.old, row.new, row.verdict) == (0.7, 1.5, "ok")
    (row,) = verdicts.judge(limits, {"one": {"a": 2.5}}, {"one": None})
    assert (row.old, row.verdict) == (None, "ABOVE LIMIT")


def test_text_is_aligned(verdicts):
    one, two = (verdicts.Row(n, 1.0, v, 2.0, "ok") for n, v in (("one: a", None), ("b", 3e-9)))
    head, *lines = verdicts.text([one, two]).splitlines()
    assert head.split() == ["row", "old", "new", "limit", "verdict"]
    assert [line.split() for line in lines] == [
        ["one:", "a", "1", "-", "2", "ok"],
        ["b", "1", "3e-09", "2", "ok"],
    ]
    assert {line.index("ok") for line in lines} == {head.index("verdict")}


def test_a_set_without_a_table_has_the_limits_of_the_default(verdicts, tmp_path):
    path = tmp_path / "judge.toml"
    path.write_text(
        "[every.symmetry]\nrotation = { figure = 0.0, limit = 1.0 }\n"
        "[first.levels]\nHOMO = { figure = 0.1, limit = 0.2 }\n"
        "[second.levels]\nHOMO = { known = 0.4, limit = 0.3 }\n"
    )
    assert verdicts.load(path, "second", "first")["levels"]["HOMO"].known
    limits = verdicts.load(path, "unknown", "first")
    assert limits["levels"]["HOMO"] == verdicts.Limit(0.1, 0.2)
    assert limits["symmetry"]["rotation"] == verdicts.Limit(0.0, 1.0)


def test_every_table_belongs_to_a_released_set(verdicts):
    path = FOLDER / "judge.toml"
    names = set(verdicts.tomllib.loads(path.read_text())) - {verdicts.EVERY}
    default = folder_of(DEFAULT).name
    assert default in names
    assert names <= set(available())
    for name in names:
        groups = verdicts.load(path, name, default)
        assert sum(len(rows) for rows in groups.values()) > 60
