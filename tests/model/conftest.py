"""`desk`: a model's desk for one test, on whichever database the tests run."""

import pytest

from tests.model.harness import Stage


@pytest.fixture
def desk(db):
    with Stage() as stage, stage.play() as played:
        yield played
