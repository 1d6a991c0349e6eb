"""Who a request comes from."""

import pytest

from flags.auth import require_member, require_sdk
from flags.credentials import Credentials
from flags.errors import Unauthorized
from flags.store import Actor


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(None, id="nothing"),
        pytest.param("", id="empty"),
        pytest.param("sdk-5f1c0a9e-2b7d-4c62", id="wrong"),
        pytest.param("SDK-5F1C0A9E-2B7D-4C63", id="capitals"),
        pytest.param("Bearer sdk-5f1c0a9e-2b7d-4c63", id="scheme-word"),
        pytest.param("mob-5f1c0a9e-2b7d-4c63", id="mobile-key"),
        pytest.param("api-alice-7b1f44d2", id="api-token"),
        pytest.param("sdk-\xff", id="not-ascii"),
    ],
)
def test_wrong_sdk_key(credentials: Credentials, given: str | None) -> None:
    with pytest.raises(Unauthorized) as caught:
        require_sdk(credentials, {} if given is None else {"authorization": given})
    assert (str(caught.value), caught.value.status) == ("invalid SDK key", 401)


def test_right_sdk_key(credentials: Credentials) -> None:
    require_sdk(credentials, {"authorization": credentials.sdk_key})


@pytest.mark.parametrize("given", ["", "api-alice-7b1f44d", "sdk-5f1c0a9e-2b7d-4c63", "alice"])
def test_wrong_token(credentials: Credentials, given: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        require_member(credentials, {"authorization": given})
    assert str(caught.value) == "invalid access token"


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        pytest.param({}, "api", id="not-said"),
        pytest.param({"x-migrator-via": "cli"}, "cli", id="cli"),
        pytest.param({"x-migrator-via": "dashboard"}, "api", id="not-believed"),
        pytest.param({"x-migrator-via": "<b>"}, "api", id="anything-else"),
    ],
)
def test_member_and_way(credentials: Credentials, via: dict[str, str], expected: str) -> None:
    for member, token in credentials.tokens.items():
        actor = require_member(credentials, {"authorization": token, **via})
        assert actor == Actor(member=member, via=expected)
