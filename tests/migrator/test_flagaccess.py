"""Which secrets and addresses everybody gets, with either kind of flag server."""

import pytest

from migrator.errors import InvalidInput
from migrator.flagaccess import controller_variables, from_environment, sdk_variables, target
from migrator.plan.model import Flags
from migrator.secrets import CONTROLLER, Secrets

KEY, TOKEN = "sdk-very-secret-5511", "api-very-secret-7722"
GIVEN = {"LAUNCHDARKLY_SDK_KEY": KEY, "LAUNCHDARKLY_ACCESS_TOKEN": TOKEN}
OURS = "http://127.0.0.1:8765"
EMBEDDED = Flags(project="cms")
LAUNCHDARKLY = Flags(server="launchdarkly", project="cms", events="http://10.0.0.5:8030")


@pytest.fixture
def secrets() -> Secrets:
    return Secrets.make("alice", lambda size: "ab" * size)


def test_what_sdks_get(secrets: Secrets) -> None:
    assert sdk_variables(EMBEDDED, OURS, secrets, GIVEN) == {
        "LAUNCHDARKLY_SDK_KEY": secrets.sdk_key,
        "LAUNCHDARKLY_BASE_URI": OURS,
        "LAUNCHDARKLY_STREAM_URI": OURS,
        "LAUNCHDARKLY_EVENTS_URI": OURS,
    }
    assert sdk_variables(LAUNCHDARKLY, OURS, secrets, GIVEN) == {
        "LAUNCHDARKLY_SDK_KEY": KEY,
        "LAUNCHDARKLY_BASE_URI": "https://sdk.launchdarkly.com",
        "LAUNCHDARKLY_STREAM_URI": "https://stream.launchdarkly.com",
        "LAUNCHDARKLY_EVENTS_URI": "http://10.0.0.5:8030",
    }


def test_what_the_controller_gets() -> None:
    assert controller_variables(EMBEDDED, GIVEN) == {}
    assert controller_variables(LAUNCHDARKLY, GIVEN) == {"LAUNCHDARKLY_ACCESS_TOKEN": TOKEN}


def test_who_changes_flags_where(secrets: Secrets) -> None:
    ours = target(EMBEDDED, OURS, CONTROLLER, secrets, GIVEN)
    assert (ours.address, ours.token) == (OURS, secrets.flags_tokens[CONTROLLER])
    assert (ours.author, ours.signatures) == (None, False), "its tokens tell who it was"
    theirs = target(LAUNCHDARKLY, OURS, "bob", secrets, GIVEN)
    assert (theirs.address, theirs.token) == ("https://app.launchdarkly.com", TOKEN)
    assert (theirs.author, theirs.signatures) == ("bob", True)
    with pytest.raises(InvalidInput, match="bob has no token") as found:
        target(EMBEDDED, OURS, "bob", secrets, GIVEN)
    assert found.value.hint == "run it as alice, or start anew with `migrator up` as bob"


@pytest.mark.parametrize(
    ("key", "token", "words"),
    [
        pytest.param(None, TOKEN, ["$LAUNCHDARKLY_SDK_KEY is not set"], id="no-key"),
        pytest.param(KEY, None, ["$LAUNCHDARKLY_ACCESS_TOKEN is not set"], id="no-token"),
        pytest.param("", " ", ["SDK_KEY is not set", "ACCESS_TOKEN is not set"], id="empty"),
        pytest.param(TOKEN, KEY, ["SDK_KEY holds an API access token",
                                  "ACCESS_TOKEN holds an SDK key"], id="swapped"),
        pytest.param("mob-5511", TOKEN, ["SDK_KEY holds a mobile key"], id="mobile-key"),
        pytest.param("sdk-55\n11", TOKEN, ["SDK_KEY has characters that no key has"], id="line"),
        pytest.param(KEY, "api-5511 é", ["TOKEN has characters that no key has"], id="accent"),
        pytest.param(KEY, "a" * 600, ["TOKEN has characters that no key has"], id="too-long"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_them(key: str | None, token: str | None, words: list[str]) -> None:
    given = dict(zip(GIVEN, (key, token), strict=True))
    with pytest.raises(InvalidInput) as found:
        from_environment({k: v for k, v in given.items() if v is not None}, *GIVEN)
    told = f"{found.value} {found.value.hint}"
    assert all(word in told for word in words), told
    for secret in (key, token):
        assert not secret or not secret.strip() or secret not in told


def test_blanks_around_them_do_not_matter() -> None:
    """A trailing line feed is what a secret that was read from a file has."""
    assert from_environment({"LAUNCHDARKLY_SDK_KEY": f" {KEY}\n"}, "LAUNCHDARKLY_SDK_KEY") == (KEY,)
