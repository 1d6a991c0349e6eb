"""Signed tokens, and the files with their keys."""

import base64
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.config import ProxyConfig
from routing.errors import InvalidConfig
from routing.key_files import FILE, load_keyrings, prepare_keyrings, read_keys
from routing.signing import MAX_TOKEN, Keyring

KEY, NEXT = b"k" * 32, b"n" * 32
RING = Keyring("test", [KEY])
BOUND = st.binary(max_size=20).map(lambda raw: base64.urlsafe_b64encode(raw))


@given(st.binary(max_size=200), BOUND)
def test_what_was_signed_opens(content: bytes, bound: bytes) -> None:
    assert RING.open(RING.sign(content, bound), bound) == content


@given(st.binary(max_size=200))
def test_arbitrary_bytes_do_not_open(token: bytes) -> None:
    assert RING.open(token) is None
    assert RING.open(b"v1." + token) is None


@given(st.binary(max_size=60), st.data())
def test_an_altered_token_does_not_open(content: bytes, data: st.DataObject) -> None:
    """Cut short, made longer, a byte changed, parts in another order."""
    token = RING.sign(content)
    at = data.draw(st.integers(0, len(token) - 1))
    byte = data.draw(st.integers(0, 255))
    parts = data.draw(st.permutations(token.split(b".")))
    for altered in (
        token[:at],
        token + bytes((byte,)),
        token[:at] + bytes((byte,)) + token[at + 1 :],
        token[:at] + bytes((byte,)) + token[at:],
        b".".join(parts),
    ):
        assert altered == token or RING.open(altered) is None


@pytest.mark.parametrize(
    "ring",
    [
        pytest.param(Keyring("other", [KEY]), id="purpose"),
        pytest.param(Keyring("test", [NEXT]), id="key"),
    ],
)
def test_of_another(ring: Keyring) -> None:
    assert RING.open(ring.sign(b"content")) is None


def test_bound_to_something_else() -> None:
    assert RING.open(RING.sign(b"content", b"alice"), b"eve") is None


def test_too_long() -> None:
    assert RING.open(RING.sign(b"x" * MAX_TOKEN)) is None


def test_a_key_is_replaced() -> None:
    """First all accept the next key, then all sign with it, then the old one goes."""
    before, during = Keyring("test", [KEY, NEXT]), Keyring("test", [NEXT, KEY])
    assert before.open(during.sign(b"x")) == during.open(before.sign(b"x")) == b"x"
    assert Keyring("test", [NEXT]).open(before.sign(b"x")) is None


def config(**decisions: object) -> ProxyConfig:
    return ProxyConfig.model_validate(
        {
            "migration": "test",
            "listen": {"port": 0},
            "gateway": {"port": 0},
            "monolith": "http://127.0.0.1:1",
            "decisions": decisions,
        }
    )


def test_a_proxy_has_a_key_of_its_own(tmp_path: Path) -> None:
    prepare_keyrings(config(), tmp_path)
    path = tmp_path / FILE
    first = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    prepare_keyrings(config(), tmp_path)
    assert path.read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == [FILE]
    ours, shared = load_keyrings(config(), tmp_path), load_keyrings(config(key_file=path), tmp_path)
    assert ours.decisions is not None
    assert shared.decisions is not None
    assert shared.decisions.open(ours.decisions.sign(b"x")) == b"x"
    assert load_keyrings(config(carry=False), tmp_path).decisions is None


def test_no_key_is_made_in_vain(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.write_bytes(KEY)
    for silent in (config(carry=False), config(key_file=shared)):
        prepare_keyrings(silent, tmp_path / "state")
    assert not (tmp_path / "state").exists()
    with pytest.raises(InvalidConfig, match="cannot be written"):
        prepare_keyrings(config(), shared / "no-folder")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: None, id="missing"),
        pytest.param(lambda path: path.write_text(""), id="empty"),
        pytest.param(lambda path: path.write_text("0123456789abcdef0123\n"), id="short"),
        pytest.param(lambda path: path.write_text("k" * 32 + "\nsecret\n"), id="one-short"),
        pytest.param(lambda path: path.write_text(("k" * 32 + "\n") * 9), id="too-many"),
        pytest.param(lambda path: path.mkdir(), id="folder"),
    ],
)
def test_an_unusable_file(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "key")
    with pytest.raises(InvalidConfig, match=r"decisions\.key_file: .*key") as raised:
        read_keys(tmp_path / "key", "decisions.key_file")
    assert "secret" not in f"{raised.value} {raised.value.hint}"
    assert "0123456789" not in f"{raised.value} {raised.value.hint}"
