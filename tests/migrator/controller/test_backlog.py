"""What the proxy says of second writes that wait."""

import json
from typing import Any

import pytest

from migrator.controller.backlog import parse_backlogs
from migrator.errors import Unavailable
from migrator.rollout.ahead import Backlog


def waiting(side: str, entries: int, oldest: float, capability: str = "shop") -> dict[str, Any]:
    row = {"capability": capability, "side": side, "state": "pending", "entries": entries}
    return {**row, "oldest_seconds": oldest}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([], {}, id="nothing"),
        pytest.param([waiting("old", 3, 9.0)], {}, id="for the monolith"),
        pytest.param(
            [waiting("new", 3, 9.0), waiting("new", 1, 70.5), waiting("new", 1, 1.0, "cart")],
            {"shop": Backlog(entries=4, oldest=70.5), "cart": Backlog(entries=1, oldest=1.0)},
            id="of all states",
        ),
    ],
)
def test_backlogs(rows: list[dict[str, Any]], expected: dict[str, Backlog]) -> None:
    document = json.dumps({"instance": "a", "cells": [], "second_writes": rows})
    assert parse_backlogs(document.encode()) == expected


def test_no_journal() -> None:
    assert parse_backlogs(b'{"instance": "a", "cells": []}') == {}


@pytest.mark.parametrize("rows", ["7", '[{"capability": "shop"}]'])
def test_what_is_not_understood(rows: str) -> None:
    with pytest.raises(Unavailable, match="second_writes"):
        parse_backlogs(f'{{"second_writes": {rows}}}'.encode())
