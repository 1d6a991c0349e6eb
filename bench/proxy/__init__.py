"""The proxy beside nginx, HAProxy, Envoy, Caddy and the stack people write themselves."""
