"""The flags that a plan needs, and the check before a start, in an account of LaunchDarkly's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flag_server import ACCESS_TOKEN, PATIENCE, SDK_KEY, flag_server, manners
from ld_stand_in import StandIn, served, standing_in
from migrator.controller.flags import ensure_flags
from migrator.controller.preflight import preflight
from migrator.errors import InvalidInput
from migrator.flagclient import FlagClient, Target
from migrator.plan.model import Migration, Stage

STAGES = [str(stage) for stage in Stage]


@dataclass
class There:
    stand_in: StandIn
    plan: Migration

    @property
    def target(self) -> Target:
        return Target(
            address=self.stand_in.address,
            token=ACCESS_TOKEN,
            project="cms",
            environment="production",
            author="migrator-controller",
            signatures=True,
        )

    def client(self) -> FlagClient:
        return FlagClient(self.target, timeout=PATIENCE)


Begin = Callable[..., AbstractAsyncContextManager[There]]


@pytest.fixture
def there(tmp_path: Path, make_plan: Callable[..., Migration]) -> Begin:
    @contextlib.asynccontextmanager
    async def begin(migration_flags: int = 403) -> AsyncIterator[There]:
        async with flag_server(tmp_path) as origin, standing_in(origin, manners()) as stand_in:
            stand_in.manners.migration_flags = migration_flags
            uris = ", ".join(
                f'{name}: "{stand_in.address}"' for name in ("api", "base", "stream", "events")
            )
            plan = make_plan(("{project: cms", f"{{server: launchdarkly, {uris}, project: cms"))
            yield There(stand_in, plan)

    return begin


@pytest.mark.parametrize("refusal", [0, 400, 403, 405])
def test_what_is_made(there: Begin, refusal: int) -> None:
    async def run() -> None:
        async with there(refusal) as world, world.client() as client:
            made = await ensure_flags(client, world.plan)
            assert made.keys() == {"shop"}
            flags = await client.list_flags()
            assert flags.keys() == {"shop", "cart-service", "stock-service"}
            shop = flags["shop"]
            assert [variation.value for variation in shop.variations] == STAGES
            assert (shop.on, shop.weights()) == (False, ((Stage.OFF, 100_000),))
            prerequisites = {each.key for each in shop.environment.prerequisites}
            assert prerequisites == {"cart-service", "stock-service"}
            assert flags["cart-service"].on
            before = len(world.stand_in.asked)
            assert await ensure_flags(client, world.plan) == {}
            assert len(world.stand_in.asked) == before + 1, "one look, and nothing is changed"

    asyncio.run(run())


def test_what_comes_after_falls_back_with_what_is_before(there: Begin) -> None:
    async def run() -> None:
        async with there() as world, world.client() as client:
            shop = world.plan.spec.capabilities["shop"]
            (route,) = shop.routes
            reviews = shop.model_copy(
                update={
                    "routes": (route.model_copy(update={"path": "/reviews", "service": "stock"}),),
                    "needs": (),
                    "after": ("shop",),
                }
            )
            spec = world.plan.spec.model_copy(
                update={"capabilities": {"shop": shop, "reviews": reviews}}
            )
            await ensure_flags(client, world.plan.model_copy(update={"spec": spec}))
            flag = await client.get("reviews")
            prerequisites = {each.key for each in flag.environment.prerequisites}
            assert prerequisites == {"cart-service", "stock-service"}

    asyncio.run(run())


@pytest.mark.parametrize(
    ("key", "body", "words"),
    [
        pytest.param(
            "shop", {}, r"flag shop exists .*\[True, False\], expected \['off', ", id="stages"
        ),
        pytest.param(
            "cart-service",
            {"variations": [{"value": "on"}, {"value": "off"}]},
            r"flag cart-service exists .*expected \[True, False\]",
            id="service",
        ),
    ],
)
def test_a_flag_of_somebody_else_is_left_alone(
    there: Begin, key: str, body: dict[str, Any], words: str
) -> None:
    async def run() -> None:
        async with there() as world, world.client() as client:
            await client.create({"key": key, "name": key, **body})
            with pytest.raises(InvalidInput, match=words) as found:
                await ensure_flags(client, world.plan)
            assert found.value.hint

    asyncio.run(run())


def test_all_is_well(there: Begin) -> None:
    async def run() -> None:
        async with there() as world:
            await preflight(world.plan, world.target, SDK_KEY)

    asyncio.run(run())


def test_an_sdk_key_of_another_environment(make_plan: Callable[..., Migration]) -> None:
    """Proxies would follow flags that nobody changes; nothing else would tell."""
    here, elsewhere = "0123456789abcdef01234567", "fedcba9876543210fedcba98"

    async def answer(request: Request) -> Response:
        if request.url.path == "/sdk/latest-all":
            return JSONResponse({}, headers={"X-LD-EnvID": elsewhere})
        return JSONResponse({"_id": here, "key": "production"})

    async def run() -> None:
        async with served(Starlette(routes=[Route("/{path:path}", answer)])) as address:
            uris = f'api: "{address}", base: "{address}"'
            plan = make_plan(("{project", f"{{server: launchdarkly, {uris}, project"))
            target = Target(address=address, token="t", project="cms", environment="production")
            with pytest.raises(InvalidInput, match=f"another environment .*{elsewhere}"):
                await preflight(plan, target, SDK_KEY)

    asyncio.run(run())


@pytest.mark.parametrize("refuses", [pytest.param(0, id="migration flags"), 403])
def test_a_flag_with_fewer_stages(there: Begin, refuses: int) -> None:
    async def run() -> None:
        async with there(refuses) as world, world.client() as client:
            shop = world.plan.spec.capabilities["shop"]
            two = shop.model_copy(update={"stages": 2})
            spec = world.plan.spec.model_copy(update={"capabilities": {"shop": two}})
            made = await ensure_flags(client, world.plan.model_copy(update={"spec": spec}))
            assert [each.value for each in made["shop"].variations] == ["off", "complete"]
            with pytest.raises(InvalidInput, match="exists with the variations"):
                await ensure_flags(client, world.plan)

    asyncio.run(run())
