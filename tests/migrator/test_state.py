"""The state folder: modes, atomic writes, locks, corrupt files."""

from pathlib import Path

import pytest

from migrator.errors import InvalidInput, StateError, Unavailable
from migrator.secrets import Secrets, ensure_secrets
from migrator.state import StateDir, find_state, read_json, write_atomically


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    state = StateDir(tmp_path / "state")
    state.create()
    return state


def test_only_the_owner_can_read(state: StateDir) -> None:
    ensure_secrets(state, ["SHARED"], lambda size: "ab" * size)
    assert state.root.stat().st_mode & 0o777 == 0o700
    assert state.secrets.stat().st_mode & 0o777 == 0o600


def test_secrets_of_the_version_before_are_completed(state: StateDir) -> None:
    first = ensure_secrets(state, [], lambda size: "ab" * size)
    state.secrets.write_text(first.model_dump_json(exclude={"endpoints_token"}))
    second = ensure_secrets(state, [], lambda size: "cd" * size)
    assert second == first.model_copy(update={"endpoints_token": "cd" * 32})


def test_secrets_are_made_once_and_completed(state: StateDir) -> None:
    first = ensure_secrets(state, [], lambda size: "ab" * size)
    second = ensure_secrets(state, ["NEW"], lambda size: "cd" * size)
    assert second.sdk_key == first.sdk_key
    assert second.plan == {"NEW": "cd" * 32}
    assert first.sdk_key not in repr(first)


@pytest.mark.parametrize("content", ["", "{", '{"sdk_key": "sdk-very-secret"}', "[]"])
def test_a_corrupt_file_is_named_and_no_value_is_told(state: StateDir, content: str) -> None:
    state.secrets.write_text(content)
    with pytest.raises(StateError) as found:
        read_json(state.secrets, Secrets)
    assert str(state.secrets) in str(found.value)
    assert "very-secret" not in str(found.value)
    assert found.value.hint


def test_a_failed_write_leaves_the_old_text(state: StateDir, tmp_path: Path) -> None:
    write_atomically(state.plan, "old")
    with pytest.raises(OSError, match="No such file"):
        write_atomically(tmp_path / "missing" / "file", "new")
    assert state.plan.read_text() == "old"
    assert [p.name for p in state.root.iterdir() if p.name.startswith(".")] == []


def test_one_supervisor_at_a_time(state: StateDir) -> None:
    assert state.is_locked() is None
    with state.locked():
        assert state.is_locked() is not None
        with pytest.raises(InvalidInput, match="runs here already"), state.locked():
            pass
    assert state.is_locked() is None


def test_nothing_was_started(state: StateDir) -> None:
    with pytest.raises(Unavailable, match="nothing was started here"):
        state.load_instance()


def test_which_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MIGRATOR_STATE", raising=False)
    with pytest.raises(InvalidInput, match="no migration was started"):
        find_state(None)
    (tmp_path / ".migrator" / "one").mkdir(parents=True)
    assert find_state(None).root == tmp_path / ".migrator" / "one"
    (tmp_path / ".migrator" / "two").mkdir()
    with pytest.raises(InvalidInput, match="several migrations"):
        find_state(None)
    monkeypatch.setenv("MIGRATOR_STATE", str(tmp_path / "given"))
    assert find_state(None).root == tmp_path / "given"
    assert find_state(tmp_path / "option").root == tmp_path / "option"
