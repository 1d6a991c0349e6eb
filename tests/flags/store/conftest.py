"""Both databases, empty or with the project `cms`, and stores that tests open on them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from flag_builders import ALICE, CMS, ORIGIN, PRODUCTION, an_environment
from flags.store import Store
from postgres import PostgresServer
from postgres import postgres_server as postgres_server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """A database with today's schema and nothing in it."""
    name = postgres_server.create()
    with closing(Store(postgres_server.url(name), ORIGIN)):
        pass
    return name


@pytest.fixture
def postgres(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with the schema of today."""
    with postgres_server.database(postgres_template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What `Store` opens: of either kind, empty."""
    if request.param == "sqlite":
        return str(tmp_path / "flags.db")
    url: str = request.getfixturevalue("postgres")
    return url


@pytest.fixture
def opened() -> Iterator[Callable[[str], Store]]:
    """Opens stores that are closed at the end of the test."""
    with ExitStack() as stack:
        yield lambda database: stack.enter_context(closing(Store(database, ORIGIN)))


@pytest.fixture
def store(database: str, opened: Callable[[str], Store]) -> Store:
    """With the project `cms` and its environments `production` and `staging`."""
    store = opened(database)
    environments = [an_environment(PRODUCTION), an_environment("staging")]
    store.environments.create_project(CMS, environments, ALICE)
    return store
