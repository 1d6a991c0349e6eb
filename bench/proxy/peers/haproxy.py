"""HAProxy with one thread: the backend is chosen by a hash of the user key."""

from string import Template
from typing import Final

from bench.proxy.peers.peer import Peer, Place
from bench.proxy.program import installed

_CONFIG: Final = Template("""\
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 2s
  timeout client 300s
  timeout server 60s
  timeout http-keep-alive 300s
  http-reuse always
  option forwardfor
frontend edge
  bind 127.0.0.1:$port backlog 4096
  use_backend old if { req.hdr(x-user),crc32,mod(100) lt 50 }
  default_backend new
backend old
  server old 127.0.0.1:$old pool-max-conn 128
backend new
  server new 127.0.0.1:$new pool-max-conn 128
""")


def _command(place: Place) -> tuple[str, ...]:
    config = place.folder / "haproxy.cfg"
    upstream = place.upstream
    config.write_text(_CONFIG.substitute(port=place.port, old=upstream.old, new=upstream.new))
    return installed("haproxy"), "-db", "-f", str(config)


HAPROXY: Final = Peer(name="HAProxy", command=_command)
