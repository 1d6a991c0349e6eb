"""Secrets of the configuration: workers get them, nobody else."""

import pytest

from routing.config import REVEAL, Tracing, parse_config
from routing.errors import InvalidConfig

CONFIG = (
    '{"migration": "test", "listen": {"port": 0}, "gateway": {"port": 0}, '
    '"monolith": "http://127.0.0.1:1", "tracing": {"headers": {"X-Key": "%s"}}}'
)


def test_who_sees_it() -> None:
    config = parse_config(CONFIG % "very secret", "routes.json")
    shown = (config.model_dump_json(), str(config.model_dump()), repr(config), str(config))
    assert not any("very secret" in text for text in shown)
    revealed = config.model_dump(mode="json", context=REVEAL)
    assert revealed["tracing"]["headers"] == {"X-Key": "very secret"}
    assert type(config).model_validate(revealed) == config


@pytest.mark.parametrize("value", ["", "secret\\r\\nX: y", "secret ", "sécret"])
def test_what_is_no_value_of_a_field(value: str) -> None:
    with pytest.raises(InvalidConfig, match=r"routes\.json: tracing\.headers\.X-Key: ") as raised:
        parse_config(CONFIG % value, "routes.json")
    assert "cret" not in str(raised.value)


def test_addresses_with_a_password_are_refused() -> None:
    with pytest.raises(ValueError, match="endpoint"):
        Tracing(endpoint="http://me:password@collector:4318")
