"""The fixture `desk`: a desk of the model, on the database of the tests."""

import pytest

from tests.model.harness import Stage


@pytest.fixture
def desk(db):
    with Stage() as stage, stage.play() as played:
        yield played
