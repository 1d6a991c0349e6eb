"""Starting and stopping the server: one clear error for what prevents it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from ldclient import Context

from event_stream import connection, stream
from flag_builders import OFF, ON, Wait
from flags.errors import FlagsError
from flags.server import ServerSettings, running_server
from postgres import PostgresServer
from postgres import postgres_server as postgres_server
from python_sdk import MODES, python_sdk

if TYPE_CHECKING:
    from tests.flags.conftest import Server


def failure(settings: ServerSettings) -> FlagsError:
    async def start() -> None:
        async with running_server(settings):
            pass

    with pytest.raises(FlagsError) as caught:
        asyncio.run(start())
    return caught.value


def test_health(server: "Server") -> None:
    for path in ("/healthz", "/readyz"):
        answer = httpx.get(server.origin + path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "sdks": 0})


def test_port_in_use(settings: ServerSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = failure(replace(settings, port=port))
    assert str(error) == f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert error.hint == "choose another port, or stop the program that has it"
    assert not Path(settings.database).exists()


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        pytest.param("127.0.0.1", 70000, "a port is a number up to 65535", id="port"),
        pytest.param("192.0.2.1", 0, "Cannot assign requested address", id="address"),
        pytest.param("no-such-host.invalid", 0, "cannot listen on no-such-host.invalid", id="name"),
    ],
)
def test_cannot_listen(settings: ServerSettings, host: str, port: int, message: str) -> None:
    assert message in str(failure(replace(settings, host=host, port=port)))


def test_bad_credentials_and_database(settings: ServerSettings, tmp_path: Path) -> None:
    assert "cannot read credentials" in str(failure(replace(settings, credentials=tmp_path / "x")))
    Path(settings.database).write_bytes(b"no database" * 1000)
    assert "cannot use the flag database" in str(failure(settings))


SECRET = "a-password-that-nobody-may-see"


@pytest.mark.parametrize(
    "database",
    [
        pytest.param(f"postgresql://flags:{SECRET}@127.0.0.1:1/flags", id="nobody-listens"),
        pytest.param(f"postgresql://flags:{SECRET}@no-such-host.invalid/flags", id="unknown-host"),
        pytest.param(f"postgresql://flags:{SECRET}@/flags?host=/no/such/folder", id="no-socket"),
        pytest.param(f"postgresql://flags:{SECRET}@127.0.0.1:port/flags", id="port"),
        pytest.param(f"mysql://flags:{SECRET}@127.0.0.1/flags", id="another-kind"),
        pytest.param("/no/such/folder/flags.db", id="no-folder"),
    ],
)
def test_databases_that_cannot_be_used(settings: ServerSettings, database: str) -> None:
    error = failure(replace(settings, database=database))
    assert "database" in str(error)
    assert SECRET not in f"{error} {error.hint}"


def test_a_missing_postgresql_database(
    settings: ServerSettings, postgres_server: PostgresServer
) -> None:
    error = failure(replace(settings, database=postgres_server.url("nope")))
    assert "database" in str(error)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_ipv6_origin(stopped: "Server") -> None:
    stopped.settings = replace(stopped.settings, host="::1")
    with stopped.running():
        assert stopped.origin.startswith("http://[::1]:")
        assert stopped.http.get("/healthz").status_code == 200


def test_flags_outlive_the_server(stopped: "Server") -> None:
    with stopped.running():
        flag = stopped.create("articles-service")
    with stopped.running():
        assert stopped.get("articles-service") == flag


def test_tokens_of_the_credentials_file(server: "Server") -> None:
    """They say who somebody is; nothing else does."""
    path, headers = (
        f"{server.origin}/api/v2/caller-identity",
        {"Authorization": "api-alice-7b1f44d2"},
    )
    assert httpx.get(path, headers=headers).json()["memberId"] == "alice"
    for wrong in ("api-alice-7b1f44d3", "", server.credentials.sdk_key):
        assert httpx.get(path, headers={"Authorization": wrong}).status_code == 401


def test_new_credentials_replace_the_old(stopped: "Server") -> None:
    """As when an operator writes the file anew, since a key was lost."""
    with stopped.running():
        stopped.create("articles-service")
    changed = stopped.credentials.model_copy(
        update={"sdk_key": "sdk-another-0123456789", "tokens": {"bob": "api-bob-0123456789abcd"}}
    )
    stopped.settings.credentials.write_text(changed.model_dump_json())
    with stopped.running():
        old = {"Authorization": stopped.credentials.sdk_key}
        new = {"Authorization": changed.sdk_key}
        assert httpx.get(f"{stopped.origin}/sdk/flags", headers=old).status_code == 401
        flags = httpx.get(f"{stopped.origin}/sdk/flags", headers=new).json()
        assert list(flags) == ["articles-service"]
        path = f"{stopped.origin}/api/v2/caller-identity"
        alice, bob = stopped.credentials.tokens["alice"], changed.tokens["bob"]
        assert httpx.get(path, headers={"Authorization": alice}).status_code == 401
        assert httpx.get(path, headers={"Authorization": bob}).json()["memberId"] == "bob"


def test_a_stopped_server_listens_no_more(stopped: "Server") -> None:
    """And leaves no stream open, however many come while it stops."""
    key = {"Authorization": stopped.credentials.sdk_key}
    with ExitStack() as stack:
        with stopped.running():
            streams = [stack.enter_context(stream(stopped.origin, "/all", key)) for _ in range(20)]
            idle = stack.enter_context(connection(stopped.origin))
            idle.request("GET", "/healthz")
            idle.body()
            for raw in streams:
                raw.event()
        assert all(raw.ended() for raw in streams)
        assert idle.at_end()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{stopped.origin}/healthz")


SERVE = """
import sys
from pathlib import Path
from flags.server import ServerSettings, serve

database, credentials, port = sys.argv[1:]
sys.exit(serve(ServerSettings(
    port=int(port), database=Path(database), credentials=Path(credentials))))
"""


@contextmanager
def serving(settings: ServerSettings) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of its own, and its origin."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(settings.database), str(settings.credentials), "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stderr is not None
            yield process, process.stderr.readline().split()[-1]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_serves_until_it_is_told_to_stop(
    settings: ServerSettings, number: signal.Signals
) -> None:
    with serving(settings) as (process, origin):
        assert httpx.get(f"{origin}/healthz").status_code == 200
        os.kill(process.pid, number)
        assert process.communicate(timeout=20) == ("", "")
        assert process.returncode == 0


def test_a_process_that_is_told_to_stop_ends_its_streams(settings: ServerSettings) -> None:
    """Properly, so that SDKs come back soon, to another one."""
    with serving(settings) as (process, origin):
        key = {"Authorization": "sdk-5f1c0a9e-2b7d-4c63"}
        with stream(origin, "/all", key) as first, stream(origin, "/sdk/stream", key) as second:
            first.event()
            second.events("payload-transferred")
            process.terminate()
            assert first.ended()
            assert second.ended()
        assert process.wait(timeout=20) == 0


def test_secrets_are_not_logged(settings: ServerSettings) -> None:
    with serving(settings) as (process, origin):
        token = "api-alice-7b1f44d2"
        assert httpx.post(f"{origin}/login", data={"token": token}).status_code == 302
        assert httpx.post(f"{origin}/login", data={"token": f"{token}x"}).status_code == 401
        assert httpx.get(f"{origin}/login?token={token}").status_code in (200, 302)
        assert httpx.get(f"{origin}/api/v2/flags/cms/x", headers={"Authorization": token})
        key = {"Authorization": "sdk-5f1c0a9e-2b7d-4c63"}
        assert httpx.get(f"{origin}/sdk/flags", headers=key).status_code == 200
        process.terminate()
        out, err = process.communicate(timeout=20)
    assert "7b1f44d2" not in out + err
    assert "5f1c0a9e" not in out + err


class TestReplicas:
    """Two servers on one PostgreSQL database, each a process of its own as far as SDKs can tell."""

    pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the SDK's sockets

    @pytest.fixture
    def replicas(
        self, settings: ServerSettings, postgres_server: PostgresServer
    ) -> Iterator[tuple["Server", "Server"]]:
        with postgres_server.database() as url, ExitStack() as stack:
            shared = replace(settings, database=url)
            one, other = (stack.enter_context(replica(shared)) for _ in range(2))
            yield one, other

    @pytest.mark.parametrize("mode", MODES)
    def test_a_change_at_one_reaches_sdks_at_the_other(
        self, replicas: tuple["Server", "Server"], wait: Wait, mode: str
    ) -> None:
        one, other = replicas
        alice = Context.create("alice")
        one.create("articles-service")
        with (
            python_sdk(other.origin, other.credentials.sdk_key, mode) as there,
            python_sdk(one.origin, one.credentials.sdk_key, mode) as here,
        ):

            def both(key: str, value: object) -> None:
                for sdk in (here, there):
                    wait(lambda sdk=sdk: sdk.variation(key, alice, None) is value, f"{value}")  # type: ignore[misc] # mypy knows no default of a lambda

            both("articles-service", False)
            one.patch("articles-service", ON)
            both("articles-service", True)
            other.patch("articles-service", OFF)
            both("articles-service", False)
            other.create("images-service")
            both("images-service", False)
            assert one.http.delete("/api/v2/flags/cms/images-service").status_code == 204
            both("images-service", None)

    def test_a_new_key_holds_at_both(self, replicas: tuple["Server", "Server"], wait: Wait) -> None:
        one, other = replicas
        old = {"Authorization": one.credentials.sdk_key}
        with stream(other.origin, "/all", old) as raw:
            raw.event()
            path = "/api/v2/projects/cms/environments/production/apiKey"
            new = {"Authorization": one.http.post(path).json()["apiKey"]}
            assert raw.ended()
        for server in replicas:
            assert httpx.get(f"{server.origin}/sdk/flags", headers=old).status_code == 401
            assert httpx.get(f"{server.origin}/sdk/flags", headers=new).status_code == 200

    def test_an_sdk_may_come_back_to_the_other(
        self, replicas: tuple["Server", "Server"], wait: Wait
    ) -> None:
        """A state of one is a state of the other: only what changed since is sent."""
        one, other = replicas
        one.create("articles-service")
        one.create("images-service")
        key = {"Authorization": one.credentials.sdk_key}
        with stream(one.origin, "/sdk/stream", key) as raw:
            basis = raw.events("payload-transferred")[-1][1]["state"]
        one.patch("articles-service", ON)

        def names() -> list[str]:
            found = httpx.get(f"{other.origin}/sdk/poll?basis={basis}", headers=key).json()
            return [event["event"] for event in found["events"]]

        changed = ["server-intent", "put-object", "payload-transferred"]
        wait(lambda: names() == changed, "the change, and only that")

    def test_counts_of_both_are_added(
        self, replicas: tuple["Server", "Server"], wait: Wait
    ) -> None:
        one, other = replicas
        one.create("articles-service")
        counters = [{"variation": 0, "count": 1}]
        event = {"kind": "summary", "features": {"articles-service": {"counters": counters}}}
        key = {"Authorization": other.credentials.sdk_key}
        assert httpx.post(f"{other.origin}/bulk", json=[event], headers=key).status_code == 202
        path = "/api/v2/flag-statuses/cms/production/articles-service"
        wait(lambda: one.http.get(path).json()["name"] != "new", "the other's count")


@contextmanager
def replica(settings: ServerSettings) -> Iterator["Server"]:
    from tests.flags.conftest import Server

    server = Server(settings)
    with server.running():
        yield server
