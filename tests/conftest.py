"""What makes the tests of all packages fast."""

import functools
import gc
from collections.abc import Iterator

import httpx
import pytest


def pytest_collection_finish() -> None:
    """Garbage collection need not look at thousands of collected tests again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def root_certificates_once() -> Iterator[None]:
    """Each client of httpx reads the root certificates anew, which takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        once = functools.cache(httpx.create_ssl_context)
        patch.setattr("httpx._transports.default.create_ssl_context", once)
        yield
