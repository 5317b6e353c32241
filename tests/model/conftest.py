"""Defines the fixture `desk`: a simulated desk of the model that uses the tests' database."""

import pytest

from tests.model.harness import Stage


@pytest.fixture
def desk(db):
    with Stage() as stage, stage.play() as played:
        yield played
