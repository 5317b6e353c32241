"""Starts the sandbox for tests of its answers over HTTP."""

import pytest


@pytest.fixture
def sandbox(sandbox_over_http):
    return sandbox_over_http
