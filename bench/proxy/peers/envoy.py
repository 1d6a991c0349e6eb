"""Envoy with one worker thread: weighted clusters, or a Lua filter that hashes the user key."""

import json
from functools import partial
from typing import Any, Final

from bench.proxy.peers.peer import Peer, Place
from bench.proxy.program import installed

_TYPE: Final = "type.googleapis.com/envoy.extensions.filters"
_LUA: Final = """\
function envoy_on_request(handle)
  local key = handle:headers():get("x-user") or ""
  local hash = 5381
  for i = 1, #key do hash = (hash * 33 + key:byte(i)) % 4294967296 end
  handle:headers():replace("x-side", hash % 100 < 50 and "old" or "new")
  handle:clearRouteCache()
end
"""


def _weighted() -> list[dict[str, Any]]:
    clusters = [{"name": side, "weight": 50} for side in ("old", "new")]
    return [{"match": {"prefix": "/"}, "route": {"weighted_clusters": {"clusters": clusters}}}]


def _by_header() -> list[dict[str, Any]]:
    new = {"name": "x-side", "string_match": {"exact": "new"}}
    return [
        {"match": {"prefix": "/", "headers": [new]}, "route": {"cluster": "new"}},
        {"match": {"prefix": "/"}, "route": {"cluster": "old"}},
    ]


def _at(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int) -> dict[str, Any]:
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _at(port)}}]}],
        },
    }


def _document(place: Place, *, lua: bool) -> dict[str, Any]:
    script = {
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": f"{_TYPE}.http.lua.v3.Lua",
            "default_source_code": {"inline_string": _LUA},
        },
    }
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_TYPE}.http.router.v3.Router"},
    }
    routes = _by_header() if lua else _weighted()
    manager = {
        "@type": f"{_TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "use_remote_address": True,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [script, router] if lua else [router],
    }
    name = "envoy.filters.network.http_connection_manager"
    chain = {"filters": [{"name": name, "typed_config": manager}]}
    return {
        "static_resources": {
            "listeners": [{"name": "edge", "address": _at(place.port), "filter_chains": [chain]}],
            "clusters": [_cluster("old", place.upstream.old), _cluster("new", place.upstream.new)],
        }
    }


def _command(place: Place, *, lua: bool) -> tuple[str, ...]:
    config = place.folder / "envoy.json"
    config.write_text(json.dumps(_document(place, lua=lua)))
    return (
        *(installed("envoy"), "-c", str(config), "--concurrency", "1"),
        *("--disable-hot-restart", "--log-level", "error"),
    )


ENVOY: Final = Peer(name="Envoy", command=partial(_command, lua=False))
ENVOY_LUA: Final = Peer(name="Envoy + Lua", command=partial(_command, lua=True))
