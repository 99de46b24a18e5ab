"""Header of a parameter set: nothing that changes a result can be changed unseen."""

import json

import pytest

from mlsemi.errors import MlsemiError, ParameterError
from mlsemi.sets.header import FACTS, MORE, checked_header, sealed
from mlsemi.sets.releases import DEFAULT, folder_of


def released():
    return (folder_of(DEFAULT) / "header.json").read_text()


def test_a_seal_does_not_depend_on_the_order_and_replaces_an_old_one():
    header = json.loads(released())
    backwards = dict(reversed(header.items()))
    assert sealed(backwards)["seal"] == header["seal"] == sealed(header | {"seal": "x"})["seal"]
    assert sealed(header) == header
    assert set(header) <= {*FACTS, *MORE, "seal"}


def test_a_header_that_cannot_be_read_again_is_not_sealed():
    header = json.loads(released())
    with pytest.raises(ParameterError, match="unknown entry 'committe'"):
        sealed(header | {"committe": {}})
    header.pop("form")
    with pytest.raises(ParameterError, match="no entry 'form'"):
        sealed(header)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda h: h.update(cutoff=11.3), "header has an unknown entry 'cutoff'"),
        (lambda h: h.pop("elements"), "header has no entry 'elements'"),
        (lambda h: h.pop("seal"), "header has no entry 'seal'"),
        (lambda h: h["form"].update(cutof=h["form"].pop("cutoff")), "form has no entry 'cutoff'"),
        (lambda h: h["form"].update(cutof=11.3), "form has an unknown entry 'cutof'"),
        (lambda h: h["form"].update(cutoff=11.7), "seal"),
        (lambda h: h["reference"]["level"].update(method="b1lyp"), "seal"),
    ],
)
def test_what_is_wrong_is_named(change, text):
    header = json.loads(released())
    change(header)
    with pytest.raises(ParameterError, match=text):
        checked_header(header)


def paths_of(table, path=()):
    """The way to every entry of nested tables and lists."""
    for key, value in table.items() if isinstance(table, dict) else enumerate(table):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from paths_of(value, (*path, key))


def mutations(value):
    """Other values for an entry: what a slip of the hand or of a bit may leave."""
    yield from (None, "", [], {}, float("nan"), 0, -1)
    if isinstance(value, str):
        yield from (value + " ", value.upper(), value[::-1])
    elif isinstance(value, list):
        yield from (value[::-1], value[1:], [*value, *value[:1]])
    elif isinstance(value, dict):
        yield from (dict(list(value.items())[1:]), value | {"more": 1})
    elif not isinstance(value, bool):
        yield from (value + 1, -value, value * 1.0000001, str(value))


def test_every_entry_is_sealed():
    """Whatever entry is changed, renamed or lost: the header is refused, or it is the same."""
    text = released()
    header = json.loads(text)
    form = checked_header(header)
    count = 0
    for *way, last in paths_of(header):
        if way[:1] in (["training"], ["start"], ["excitation_fit"]) and len(way) > 2:
            continue  # what was done, in all detail
        changed = json.loads(text)
        table = changed
        for key in way:
            table = table[key]
        true = table[last]
        for value in mutations(true):
            table[last] = value
            if changed != header:
                with pytest.raises(MlsemiError):
                    checked_header(changed)
                count += 1
        table[last] = true
        if isinstance(table, dict):
            table[f"{last}s"] = table.pop(last)
            with pytest.raises(MlsemiError):
                checked_header(changed)
    assert count > 1000
    assert checked_header(json.loads(text)) == form


def test_a_flipped_bit_of_the_header_is_noticed():
    """Anywhere but in the space between entries."""
    data = released().encode()
    header, spaces = json.loads(data), 0
    for position in range(0, len(data), 7):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        try:
            found = json.loads(changed.decode())
            checked_header(found)
        except (ValueError, MlsemiError):
            continue
        assert found == header
        spaces += 1
    assert spaces < 0.02 * len(data)
