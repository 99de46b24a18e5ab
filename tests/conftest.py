"""One thread for linear algebra; helper modules of this folder importable from every test."""

import os

import pytest
from threadpoolctl import threadpool_limits
from tiny import write_tiny_parameters

from mlsemi.parameters import Parameters


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    os.environ["OMP_NUM_THREADS"] = "1"  # for libraries that a test loads later
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of the tiny parameter set."""
    return write_tiny_parameters(tmp_path_factory.mktemp("parameters") / "tiny")


@pytest.fixture(scope="module")
def tiny(folder):
    """The tiny parameter set."""
    return Parameters.load(folder)
