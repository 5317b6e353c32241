"""What the sandbox answers over HTTP."""

import pytest


@pytest.fixture
def sandbox(sandbox_over_http):
    return sandbox_over_http
