"""nginx: `split_clients` on the user key, connections to the upstream kept."""

from string import Template
from typing import Final

from bench.proxy.peers.peer import Peer, Place
from bench.proxy.program import installed

_CONFIG: Final = Template("""\
daemon off;
worker_processes 1;
pid $folder/pid;
error_log stderr error;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  client_body_buffer_size 128k;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  scgi_temp_path $folder/scgi;
  uwsgi_temp_path $folder/uwsgi;
  split_clients "$$http_x_user" $$side { 50% old; * new; }
  upstream old { server 127.0.0.1:$old; keepalive 128; keepalive_requests 1000000000; }
  upstream new { server 127.0.0.1:$new; keepalive 128; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:$port backlog=4096;
    location / {
      proxy_pass http://$$side;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $$host;
      proxy_set_header X-Forwarded-For $$proxy_add_x_forwarded_for;
      proxy_buffers 8 16k;
      proxy_buffer_size 16k;
    }
  }
}
""")


def _command(place: Place) -> tuple[str, ...]:
    config = place.folder / "nginx.conf"
    upstream = place.upstream
    config.write_text(
        _CONFIG.substitute(folder=place.folder, port=place.port, old=upstream.old, new=upstream.new)
    )
    return installed("nginx"), "-p", str(place.folder), "-c", str(config)


NGINX: Final = Peer(name="nginx", command=_command)
