"""A configuration that is refused late has changed nothing by then."""

from typing import Any

import pytest

from proxy_in_process import NO_TRUST, ProxyWorld, play
from routing.config import ProxyConfig
from routing.errors import InvalidConfig, RouteConflict


def changed(world: ProxyWorld, *routes: dict[str, Any]) -> ProxyConfig:
    """Other endpoints, copies, limits and rules, beside these routes."""
    document = world.config(world.two, world.three).model_dump(mode="json")
    document["mirroring"] = {"body": 7}
    document["second_writes"] = {"body": 7}
    document["parity"] = {"body": 7}
    document["access_log"] = {"path": "-"}
    document["decisions"] = {"baggage": True}
    document["capabilities"]["publishing"]["routes"] = list(routes)
    return ProxyConfig.model_validate(document)


def in_force(world: ProxyWorld) -> list[Any]:
    proxy = world.proxy
    return [
        proxy.routing,
        proxy.propagator,
        proxy.parity.keep,
        proxy.copying._mirror.rules,
        proxy.copying._second.rules,
        proxy.watch._access_log,
        [
            [each["address"] for each in origin["endpoints"]]
            for origin in proxy.upstreams.document()
        ],
    ]


@pytest.mark.parametrize(
    ("routes", "error"),
    [
        pytest.param([{"path": "/a"}, {"path": "/a"}], RouteConflict, id="conflict"),
        pytest.param(
            [{"path": "/a", "rewrite": {"path": "/{id}"}}], InvalidConfig, id="nothing-to-fill-in"
        ),
    ],
)
def test_refused(
    routes: list[dict[str, Any]], error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(world: ProxyWorld) -> None:
        before = in_force(world)
        refused = changed(world, *({"service": "articles", **each} for each in routes))
        with pytest.raises(error):
            world.proxy.apply(refused, NO_TRUST)
        assert in_force(world) == before
        assert (await world.ask())[1] == "one"
        accepted = changed(world, {"path": "/articles/*", "service": "articles"})
        world.proxy.apply(accepted, NO_TRUST)
        after = in_force(world)
        assert all(one != other for one, other in zip(before, after, strict=True))
        assert (await world.ask())[1] in ("two", "three")

    play(scene, lambda world: world.config(world.one), monkeypatch)
