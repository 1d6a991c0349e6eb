"""A client of our own flag server, which behaves like LaunchDarkly."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from flag_server import ACCESS_TOKEN, ALICE_TOKEN, PATIENCE, READER_TOKEN, flag_server
from ld_stand_in import Manners, StandIn, standing_in
from migrator.flagclient import FlagClient, RetryPolicy, Target

QUICK = RetryPolicy(first=0.001, longest=0.01, total=5.0)


@dataclass
class There:
    """LaunchDarkly, and the plan's project in it."""

    stand_in: StandIn
    origin: str

    def target(self, token: str = ACCESS_TOKEN, author: str | None = "alice") -> Target:
        return Target(
            address=self.stand_in.address,
            token=token,
            project="cms",
            environment="production",
            author=author,
            signatures=True,
            name="LaunchDarkly",
            token_from="$LAUNCHDARKLY_ACCESS_TOKEN",
        )

    def client(self, target: Target | None = None, policy: RetryPolicy = QUICK) -> FlagClient:
        return FlagClient(target or self.target(), policy=policy, timeout=PATIENCE)


Begin = Callable[[], AbstractAsyncContextManager[There]]


@pytest.fixture
def there(tmp_path: Path) -> Begin:
    @contextlib.asynccontextmanager
    async def begin() -> AsyncIterator[There]:
        manners = Manners(
            tokens={ACCESS_TOKEN: ALICE_TOKEN, READER_TOKEN: ALICE_TOKEN},
            readers=frozenset({READER_TOKEN}),
        )
        async with flag_server(tmp_path) as origin, standing_in(origin, manners) as stand_in:
            yield There(stand_in, origin)

    return begin
