"""Shares of a core. The files of control groups are plain ones here: real ones need root, and a
machine that has them."""

from pathlib import Path

import pytest

from bench.flags.errors import BenchError
from bench.proxy.quota import PERIOD, held


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            ["cgroup.procs"],
            {"cpu.cfs_period_us": f"{PERIOD}", "cpu.cfs_quota_us": f"{PERIOD // 4}"},
            id="version-1",
        ),
        pytest.param(
            ["cgroup.procs", "cgroup.controllers"],
            {"cpu.max": f"{PERIOD // 4} {PERIOD}"},
            id="version-2",
        ),
    ],
)
def test_a_share(tmp_path: Path, files: list[str], expected: dict[str, str]) -> None:
    for name in files:
        (tmp_path / name).touch()
    with held([4711], 0.25, [tmp_path / "none", tmp_path]):
        (group,) = (each for each in tmp_path.iterdir() if each.is_dir())
        said = {each.name: each.read_text() for each in group.iterdir()}
        assert said == {**expected, "cgroup.procs": "4711"}
        assert (tmp_path / "cgroup.procs").read_text() == ""
    assert (tmp_path / "cgroup.procs").read_text() == "4711", "it is free again"


def test_no_control_groups(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no control groups"), held([4711], 0.25, [tmp_path]):
        pass
