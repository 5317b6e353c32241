"""The sandbox's answers over HTTP."""

import pytest


@pytest.fixture
def sandbox(sandbox_over_http):
    return sandbox_over_http
