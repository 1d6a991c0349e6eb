"""Who sees the decision on answers."""

import pytest

from routing.config import Exposed
from routing.exposure import Exposure

NETWORKS = Exposed.model_validate({"networks": ["192.0.2.0/24", "2001:db8::/32"]})


@pytest.mark.parametrize(
    ("rules", "client", "overridden", "seen"),
    [
        pytest.param(True, b"unknown", False, True, id="everybody"),
        pytest.param(False, b"192.0.2.1", True, False, id="nobody"),
        pytest.param(Exposed(overrides=True), b"192.0.2.1", True, True, id="with-an-override"),
        pytest.param(Exposed(overrides=True), b"192.0.2.1", False, False, id="without"),
        pytest.param(NETWORKS, b"192.0.2.1", False, True, id="v4"),
        pytest.param(NETWORKS, b"::ffff:192.0.2.1", False, True, id="v4-in-v6"),
        pytest.param(NETWORKS, b"2001:db8::1", False, True, id="v6"),
        pytest.param(NETWORKS, b"198.51.100.1", True, False, id="elsewhere"),
        pytest.param(NETWORKS, b"unknown", False, False, id="no-address"),
    ],
)
def test_exposure(rules: bool | Exposed, client: bytes, overridden: bool, seen: bool) -> None:
    assert Exposure(rules).to(client, overridden=overridden) is seen
