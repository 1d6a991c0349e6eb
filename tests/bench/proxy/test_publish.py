"""README, docs and chart show what is kept in docs/proxy-bench.json, and nothing else."""

import json
from pathlib import Path

import pytest

from bench.flags.errors import BenchError
from bench.machine import Machine
from bench.proxy.publish import (
    BEGIN,
    END,
    GOALS,
    KEPT,
    PEERS,
    ROOT,
    Run,
    goals,
    pages,
    read_kept,
    read_results,
    replaced,
)
from bench.results import Result, write

MACHINE = Machine(
    cpu="Example CPU", cores=2, memory=23.4, system="Linux 6.1", python="3.11.7", load=0.25
)
RESULTS = [
    Result(name="CPU time, by nginx's", value=2.1, unit="×", goal=1.8),
    Result(name="throughput", value=1.95, unit="×", goal=1.9, more_is_better=True),
    Result(name="ours: CPU, small GET", value=30.26, unit="µs"),
    Result(name="nginx: CPU, small GET", value=13.9, unit="µs"),
    Result(name="nginx: memory", value=4.87, unit="MB"),
]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    missing = {"a second worker": "too few cores"}
    return read_results(write("x", RESULTS, MACHINE, missing=missing, folder=tmp_path).read_text())


def test_what_is_published_is_what_is_kept() -> None:
    texts = {name: (ROOT / name).read_text() for name in (GOALS, PEERS)}
    for name, text in pages(read_kept((ROOT / KEPT).read_text()), texts).items():
        hint = f"{name} is not as bench.proxy.publish would write it"
        assert (ROOT / name).read_text() == text, hint


def test_the_kept_file_is_read_as_it_was_written(run: Run) -> None:
    assert read_kept(run.text()) == run
    assert {*json.loads(run.text())} == {"date", "machine", "results"}


def test_pages(run: Run) -> None:
    page = f"before\n{BEGIN}old\n{END}after\n"
    written = pages(run, {GOALS: page, PEERS: page})
    assert written[GOALS].splitlines() == [
        *("before", BEGIN.strip(), ""),
        f"On 2 cores (Example CPU) with Python 3.11.7, on {run.date}:",
        "",
        "| measured | value | goal | met |",
        "| --- | ---: | ---: | --- |",
        "| CPU time, by nginx's | 2.1 × | ≤ 1.8 × | no |",
        "| throughput | 1.95 × | ≥ 1.9 × | yes |",
        "| a second worker | not measured |  | too few cores |",
        *("", END.strip(), "after"),
    ]
    assert written[PEERS].splitlines()[5:9] == [
        "|  | ours | nginx |",
        "| --- | ---: | ---: |",
        "| CPU, small GET (µs) | 30.3 | 13.9 |",
        "| memory (MB) | - | 4.87 |",
    ]


def test_whether_a_goal_is_met_was_decided_before_rounding(tmp_path: Path) -> None:
    over = Result(name="memory", value=60.04, unit="MB", goal=60)
    run = read_results(write("x", [over], MACHINE, folder=tmp_path).read_text())
    assert goals(run).endswith("| memory | 60 MB | ≤ 60 MB | no |\n")


@pytest.mark.parametrize("text", ["", BEGIN, END, END + BEGIN])
def test_a_page_without_marks(text: str) -> None:
    with pytest.raises(BenchError, match=r"page\.md has no <!-- bench.*until here"):
        replaced("page.md", text, "part")
