"""A store, its queue, and a runner."""

from __future__ import annotations

import pytest

from jupyter_slipway.runs.engine import Engine
from tests.runs.jobs import a_database, a_runner


@pytest.fixture
def database(store):
    database = a_database(store)
    yield database
    database.close()


@pytest.fixture
def engine(database, home) -> Engine:
    return Engine(database, home)


@pytest.fixture
def runner(database, home):
    with a_runner(database, home) as runner:
        yield runner
