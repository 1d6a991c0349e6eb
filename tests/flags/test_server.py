"""Starting and stopping the server: one clear error for what prevents it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from flags.errors import FlagsError
from flags.server import ServerSettings, running_server

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
    assert not settings.database.exists()


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
    settings.database.write_bytes(b"no database" * 1000)
    assert "cannot use the flag database" in str(failure(settings))


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


SERVE = """
import sys
from pathlib import Path
from flags.server import ServerSettings, serve

database, credentials, port = sys.argv[1:]
sys.exit(serve(ServerSettings(
    port=int(port), database=Path(database), credentials=Path(credentials))))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_serves_until_it_is_told_to_stop(
    settings: ServerSettings, number: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(settings.database), str(settings.credentials), "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process, process.stderr as log:
        origin = log.readline().split()[-1]
        assert httpx.get(f"{origin}/healthz").status_code == 200
        os.kill(process.pid, number)
        assert process.wait(timeout=20) == 0
        assert log.read() == ""


def test_secrets_are_not_logged(settings: ServerSettings) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(settings.database), str(settings.credentials), "0"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process:
        origin = process.stderr.readline().split()[-1]
        token = "api-alice-7b1f44d2"
        assert httpx.get(f"{origin}/login?token={token}").status_code == 302
        assert httpx.get(f"{origin}/login?token={token}x").status_code == 401
        assert httpx.get(f"{origin}/api/v2/flags/cms/x", headers={"Authorization": token})
        process.terminate()
        out, err = process.communicate(timeout=20)
    assert "7b1f44d2" not in out + err
