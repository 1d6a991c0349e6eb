"""Two origins that keep titles, and a proxy between them that compares what they say."""

import asyncio
import contextlib
import json
import re
from collections.abc import Callable
from typing import Any

from proxy_in_process import Peer, ProxyWorld
from routing.config import ProxyConfig
from routing.journal import Journal
from routing.parity.report import merge_parity, parity_report
from routing.stages import Stage

ROUTES: list[dict[str, Any]] = [
    {"path": "/articles/{id}", "service": "articles", "rewrite": {"path": "/v2/articles/{id}"}},
    {"path": "/articles", "service": "articles"},
    {"path": "/articles/{id}/publish", "service": "articles", "probe": "/articles/{id}"},
    {"path": "/alone", "methods": ["POST"], "service": "articles"},
    {"path": "/hidden", "service": "articles", "mirror_reads": False},
]


def configure(**parity: object) -> Callable[[ProxyWorld], ProxyConfig]:
    def config(world: ProxyWorld) -> ProxyConfig:
        return ProxyConfig.model_validate(
            {
                **world.config(world.one).model_dump(mode="json"),
                "context": {"key": [{"header": "x-user"}]},
                "mirroring": {},
                "second_writes": {"fsync": False},
                "parity": {"probe_share": 1, "probes_per_second": 1000, "noise_share": 0, **parity},
                "capabilities": {
                    "publishing": {
                        "flag": "publishing",
                        "routes": ROUTES,
                        "parity": {"show": ["body.title"]},
                    }
                },
            }
        )

    return config


class Store:
    """What an origin says: it keeps titles, but for the letters that it `loses`. Its copies of a
    path in `fails` are answered with 503."""

    def __init__(self, loses: str = "") -> None:
        self.loses = loses
        self.titles: dict[str, str] = {}
        self.fails: set[str] = set()
        self.probes: list[str] = []
        self.wait = asyncio.Event()
        """Probes are answered once it is set."""
        self.wait.set()
        self.reads = 0
        """Mirrored ones."""
        self.slow = asyncio.Event()
        """The same for mirrored reads, which say what is there before."""
        self.slow.set()

    async def __call__(self, peer: Peer, _: object, writer: asyncio.StreamWriter) -> None:
        head, body = peer.asked
        method, path = head.split(" ")[:2]
        mirror = re.findall(r"\r\nX-Migrator-Mirror: (.*)\r", head)
        if mirror == ["write"] and path in self.fails:
            status, text, location = 503, "", ""
        elif method == "GET":
            if mirror == ["probe"]:
                self.probes.append(path)
                await self.wait.wait()
            title = self.titles.get(path.removeprefix("/v2"))
            if mirror == ["read"]:
                self.reads += 1
                await self.slow.wait()
            status, text, location = 200, json.dumps({"title": title}), ""
        else:
            path = path.removeprefix("/v2").removesuffix("/publish")
            path = "/articles/7" if path == "/articles" else path
            self.titles[path] = "".join(c for c in body.decode() if c not in self.loses)
            status, text, location = 201, "", f"Location: {path}\r\n"
        fields = f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n{location}"
        writer.write(f"HTTP/1.1 {status} X\r\n{fields}\r\n{text}".encode())


class Shop:
    """The proxy's user, and what it says of parity."""

    def __init__(self, world: ProxyWorld, loses: str = "") -> None:
        self.world = world
        self.old, self.new = Store(), Store(loses)
        world.old.answer, world.one.answer = self.old, self.new
        world.stage = Stage.DUALWRITE
        world.proxy.copying.start()
        self._tallies: list[dict[str, Any]] = []

    async def write(self, path: str, method: str = "POST", user: str = "") -> None:
        """Without a name it is somebody new each time."""
        assert (await self.world.ask(method, path, user=user))[0] == 201

    def writes(self) -> dict[str, Any]:
        """Parity of what writes have left."""
        tallies = self.world.proxy.parity.document(last=True)
        self._tallies = self._tallies if tallies is None else tallies
        found = parity_report(merge_parity(self._tallies))
        return next((each for each in found if each["access"] == "write"), {"compared": 0})

    async def compared(self, count: int) -> dict[str, Any]:
        await self.world.until(lambda: self.writes()["compared"] >= count)
        return self.writes()

    async def skipped(self, why: str, count: int = 1) -> None:
        await self.world.until(lambda: self.writes().get("not_compared", {}).get(why, 0) >= count)

    async def read(self, user: str = "") -> None:
        assert (await self.world.ask("GET", "/articles/1", user=user))[0] == 200

    async def reads(self, **counts: int) -> None:
        """Wait until parity of mirrored reads says this."""

        def found() -> dict[str, Any]:
            self.writes()
            for told in parity_report(merge_parity(self._tallies)):
                if told["access"] == "read":
                    return {**told, **told["not_compared"]}
            return {}

        await self.world.until(
            lambda: all(found().get(name, 0) == count for name, count in counts.items())
        )

    def left(self) -> int:
        with contextlib.closing(Journal(self.world.folder)) as journal:
            return len(journal.entries(limit=100))
