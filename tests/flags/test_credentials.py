"""The credentials file: what is wrong is named, secrets never are."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flags.credentials import Credentials
from flags.errors import FlagsError

SECRET = "sdk-this-must-not-be-shown"


def test_load(tmp_path: Path, credentials: Credentials) -> None:
    file = tmp_path / "c.json"
    file.write_text(credentials.model_dump_json())
    assert Credentials.load(file) == credentials


def changed(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.update(changes)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(lambda d: d.pop("tokens"), "tokens: Field required", id="missing"),
        pytest.param(changed(tokens={}), "tokens: Dictionary should have", id="nobody"),
        pytest.param(
            changed(tokens={"bob": "api-x"}), "tokens.bob: String should have", id="short"
        ),
        pytest.param(
            changed(client_side_id=SECRET), "client_side_id: String should match", id="pattern"
        ),
        pytest.param(
            changed(sdk_key=[SECRET]), "sdk_key: Input should be a valid string", id="list"
        ),
        pytest.param(changed(password=SECRET), "password: Extra inputs", id="unknown"),
    ],
)
def test_bad(
    tmp_path: Path,
    credentials: Credentials,
    change: Callable[[dict[str, Any]], object],
    problem: str,
) -> None:
    document = credentials.model_dump()
    change(document)
    file = tmp_path / "c.json"
    file.write_text(json.dumps(document))
    with pytest.raises(FlagsError) as caught:
        Credentials.load(file)
    assert str(caught.value).startswith(f"{file}: invalid credentials: {problem}")
    assert caught.value.hint is not None
    for secret in (SECRET, *credentials.tokens.values(), credentials.sdk_key):
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        pytest.param(lambda f: None, "cannot read credentials: No such file", id="missing"),
        pytest.param(lambda f: f.mkdir(), "cannot read credentials: Is a directory", id="folder"),
        pytest.param(lambda f: f.write_text('{"a'), "document: Invalid JSON", id="cut-off"),
        pytest.param(lambda f: f.write_bytes(b"\xff"), "document: Invalid JSON", id="binary"),
    ],
)
def test_unreadable(tmp_path: Path, prepare: Callable[[Path], object], message: str) -> None:
    file = tmp_path / "c.json"
    prepare(file)
    with pytest.raises(FlagsError, match=message):
        Credentials.load(file)


def test_tokens_are_not_in_the_repr(credentials: Credentials) -> None:
    assert not [t for t in credentials.tokens.values() if t in repr(credentials)]


def test_first_environment(credentials: Credentials) -> None:
    project, environment = credentials.first_environment()
    assert (project.key, environment.project, environment.key) == ("cms", "cms", "production")
    for key in ("sdk_key", "mobile_key", "client_side_id"):
        assert getattr(environment, key) == getattr(credentials, key)


@pytest.mark.parametrize(
    "client_side_id",
    [
        pytest.param("0123456789abcdef01234567", id="24"),
        pytest.param("0123456789abcdef0123456789abcdef", id="32"),
    ],
)
def test_client_side_ids(credentials: Credentials, client_side_id: str) -> None:
    document = {**credentials.model_dump(), "client_side_id": client_side_id}
    assert Credentials.model_validate(document).client_side_id == client_side_id
