"""Caddy on one core: the upstream is chosen by a hash of the user key."""

from string import Template
from typing import Final

from bench.proxy.peers.peer import Peer, Place
from bench.proxy.program import installed

_CONFIG: Final = Template("""\
{
  admin off
  auto_https off
  persist_config off
  storage file_system $folder/data
}
http://127.0.0.1:$port, http://localhost:$port {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:$old 127.0.0.1:$new {
    lb_policy header X-User
    transport http {
      keepalive_idle_conns_per_host 128
    }
  }
}
""")


def _command(place: Place) -> tuple[str, ...]:
    config = place.folder / "Caddyfile"
    upstream = place.upstream
    config.write_text(
        _CONFIG.substitute(folder=place.folder, port=place.port, old=upstream.old, new=upstream.new)
    )
    return installed("caddy"), "run", "--adapter", "caddyfile", "--config", str(config)


CADDY: Final = Peer(name="Caddy", command=_command, environment={"GOMAXPROCS": "1"})
