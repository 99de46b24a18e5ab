"""One thread for linear algebra; helper modules of this folder importable from every test."""

import os

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    os.environ["OMP_NUM_THREADS"] = "1"  # for libraries that a test loads later
    with threadpool_limits(1):
        yield
