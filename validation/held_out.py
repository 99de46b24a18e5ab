"""What the recipe of a released parameter set holds out for testing."""

from __future__ import annotations

from functools import cache

import report

from mlsemi.training.data.dataset import ReferenceDataset
from mlsemi.training.fit.recipe import Recipe

FOLDER = report.HERE.parent / "parameters"


def recipe(name: str) -> Recipe:
    """Recipe a parameter set was trained with; its file names are relative to FOLDER."""
    return Recipe.load(FOLDER / f"{name}.toml")


@cache
def test_records(name: str) -> ReferenceDataset:
    """Test structures of its reference."""
    return ReferenceDataset.load(*(FOLDER / file for file in recipe(name).source[0].files)).split(
        "test"
    )
