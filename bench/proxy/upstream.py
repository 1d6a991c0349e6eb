"""What all proxies forward to: one nginx worker, the old side on one port, the new on another."""

from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from bench.proxy.program import free_port, installed, running, wait_for_port
from bench.proxy.wrk import LARGE

LARGE_PATH: Final = "/articles/large"
_PAD: Final = "." * 200
_CONFIG: Final = Template("""\
daemon off;
worker_processes 1;
pid $folder/pid;
error_log stderr error;
events { worker_connections 4096; }
http {
  access_log off;
  default_type text/plain;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  client_body_buffer_size 128k;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  scgi_temp_path $folder/scgi;
  uwsgi_temp_path $folder/uwsgi;
  sendfile on;
  tcp_nopush on;
  open_file_cache max=10;
  root $folder/files;
  server {
    listen 127.0.0.1:$old backlog=4096;
    location = $large { }
    location / { return 200 "old $pad"; }
  }
  server {
    listen 127.0.0.1:$new backlog=4096;
    location = $large { }
    location / { return 200 "new $pad"; }
  }
}
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Two ports. Small answers begin with the name of their side."""

    old: int
    new: int


@contextmanager
def running_upstream(folder: Path, cores: Set[int] | None) -> Iterator[Upstream]:
    """Raises `BenchError`."""
    upstream = Upstream(old=free_port(), new=free_port())
    large = folder / "files" / LARGE_PATH.removeprefix("/")
    large.parent.mkdir(parents=True)
    large.write_bytes(b"x" * LARGE)
    for each in (folder, large.parent.parent, large.parent):
        each.chmod(0o755)  # root's nginx reads files as another user
    config = folder / "nginx.conf"
    config.write_text(
        _CONFIG.substitute(
            folder=folder, old=upstream.old, new=upstream.new, large=LARGE_PATH, pad=_PAD
        )
    )
    command = (installed("nginx"), "-p", str(folder), "-c", str(config))
    with running(command, folder, cores) as process:
        wait_for_port(process, upstream.new, folder)
        yield upstream
