"""What is kept and shown of a result."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from bench.machine import Machine, this_machine
from bench.results import Result, markdown, significant, table, write

MACHINE = Machine(
    cpu="Example CPU", cores=2, memory=23.4, system="Linux 6.1", python="3.11.7", load=0.25
)
FAST = Result(name="toggle, p99", value=28.94, unit="ms", goal=30)
SLOW = Result(name="memory", value=1234.5, unit="KiB", goal=16)
FREE = Result(name="bare writer, p99", value=0.02089, unit="ms")


@pytest.mark.parametrize(
    ("value", "met"),
    [
        pytest.param(29.9, True, id="below"),
        pytest.param(30, True, id="at"),
        pytest.param(30.01, False, id="above-though-shown-as-30"),
    ],
)
def test_met(value: float, met: bool) -> None:
    assert Result(name="x", value=value, unit="ms", goal=30).met is met


def test_more_may_be_better() -> None:
    results = [replace(FAST, more_is_better=True), replace(FAST, value=30, more_is_better=True)]
    assert [each.met for each in results] == [False, True]
    assert "≥ 30 ms" in table(results)


def test_without_goal_nothing_is_met() -> None:
    assert FREE.met is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(0.0123456, 0.0123, id="small"),
        pytest.param(28.94, 28.9, id="three-digits"),
        pytest.param(1234.5, 1234, id="whole"),
        pytest.param(-3.456, -3.46, id="negative"),
        pytest.param(0.0, 0.0, id="zero"),
    ],
)
def test_significant(value: float, expected: float) -> None:
    assert significant(value) == expected


def test_table() -> None:
    assert table([FAST, SLOW, FREE]).splitlines() == [
        "measured              value      goal  met",
        "toggle, p99         28.9 ms   ≤ 30 ms  yes",
        "memory            1,234 KiB  ≤ 16 KiB   no",
        "bare writer, p99  0.0209 ms",
    ]


def test_markdown() -> None:
    assert markdown([FAST, FREE]).splitlines() == [
        "| measured | value | goal | met |",
        "| --- | ---: | ---: | --- |",
        "| toggle, p99 | 28.9 ms | ≤ 30 ms | yes |",
        "| bare writer, p99 | 0.0209 ms |  |  |",
    ]


def test_write(tmp_path: Path) -> None:
    before = datetime.now(UTC).date()
    file = write("flags-toggle", [FAST, FREE], MACHINE, folder=tmp_path / "results")
    assert file.name == "flags-toggle.json"
    first, second = json.loads(file.read_text())
    assert date.fromisoformat(first.pop("date")) >= before
    assert first == {
        "name": "toggle, p99",
        "value": 28.9,
        "unit": "ms",
        "goal": 30,
        "met": True,
        "machine": {
            "cpu": "Example CPU",
            "cores": 2,
            "memory": 23.4,
            "system": "Linux 6.1",
            "python": "3.11.7",
            "load": 0.25,
        },
    }
    assert (second["goal"], second["met"]) == (None, None)


def test_what_is_missing_has_no_value(tmp_path: Path) -> None:
    missing = {"envoy": "envoy is not installed"}
    file = write("proxy", [FAST], MACHINE, missing=missing, folder=tmp_path)
    first, second = json.loads(file.read_text())
    assert first["name"] == FAST.name
    assert second == {
        "name": "envoy",
        "missing": "envoy is not installed",
        "date": first["date"],
        "machine": first["machine"],
    }


def test_this_machine() -> None:
    machine = this_machine()
    assert machine.cores >= 1
    assert machine.memory > 0
