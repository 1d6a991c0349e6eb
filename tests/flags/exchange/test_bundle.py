"""Our own document of an environment: what is exported comes back, whatever it is."""

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from evaluation_worlds import World, worlds
from flag_builders import PRODUCTION, a_segment, a_staged, within
from flags.errors import Rejected
from flags.exchange.bundle import bundle, parse, to_yaml
from flags.model import Flag, Segment

NOW = 1_800_000_000_000


def content(flag: Flag, environment: str) -> tuple[Any, Any]:
    shared = flag.model_dump(exclude={"environments", "version", "first_version"})
    return shared, flag.config(environment).changed(version=1, modified=0)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(contexts=1))
def test_round_trip(world: World) -> None:
    environment = world.snapshot.environment
    flags, segments = world.snapshot.flags.values(), world.snapshot.segments.values()
    document = bundle("cms", environment, flags, segments).model_dump(mode="json")
    read = parse(yaml.safe_load(to_yaml(document)))
    assert [content(f, environment) for f in read.read_flags(NOW)] == [
        content(f, environment) for f in flags
    ]
    same = {"version": 1, "modified": 0}
    assert [s.changed(**same) for s in read.read_segments(NOW)] == [
        s.changed(**same) for s in segments
    ]


def test_it_is_short_and_has_no_versions() -> None:
    document = bundle("cms", PRODUCTION, [a_staged()], [a_segment()]).model_dump(mode="json")
    (flag,), (segment,) = document["flags"], document["segments"]
    assert "version" not in flag | flag["config"] | segment
    assert set(flag["config"]) == {"salt", "off_variation", "fallthrough"}


def flags_of(*flags: dict[str, Any]) -> dict[str, Any]:
    return {"project": "cms", "environment": PRODUCTION, "flags": list(flags)}


GOOD = bundle("cms", PRODUCTION, [within(a_staged(), on=True)], []).flags[0]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        pytest.param([], "import: Input should be", id="no-object"),
        pytest.param({"project": "cms"}, "import: environment: Field required", id="missing"),
        pytest.param(
            flags_of() | {"apiVersion": "v9"}, "import: apiVersion: Input should be", id="version"
        ),
        pytest.param(flags_of() | {"flagz": []}, "import: flagz: Extra inputs", id="unknown"),
        pytest.param(
            flags_of(GOOD, GOOD | {"kind": "odd"}), "flags.1: kind: Input should be", id="flag"
        ),
        pytest.param(
            flags_of(GOOD | {"config": {"salt": "x"}}),
            "flags.0 (publishing): config: fallthrough: Field required",
            id="config",
        ),
        pytest.param(
            flags_of(GOOD | {"config": 7}), "flags.0 (publishing): config: ", id="config-type"
        ),
        pytest.param(
            flags_of() | {"segments": [{"key": "b"}]}, "segments.0: name: Field", id="segment"
        ),
    ],
)
def test_bad_documents(document: Any, problem: str) -> None:
    def read() -> None:
        found = parse(document)
        found.read_flags(NOW)
        found.read_segments(NOW)

    with pytest.raises(Rejected) as caught:
        read()
    assert str(caught.value).startswith(problem)


def test_segments_come_back_as_segments() -> None:
    (read,) = bundle("cms", PRODUCTION, [], [a_segment()]).read_segments(NOW)
    assert isinstance(read, Segment)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("one\x85two", id="next-line"),
        pytest.param("\x85", id="next-line-alone"),
        pytest.param("one\r\ntwo\u2028three", id="line-breaks"),
        pytest.param("yes", id="boolean-of-yaml-1.1"),
        pytest.param("1e3", id="number"),
        pytest.param(" ключ: 😀 #", id="unicode"),
    ],
)
def test_any_text_reads_back(text: str) -> None:
    document = {text: [text, f"{text} {'words ' * 40}{text}"]}
    assert yaml.safe_load(to_yaml(document)) == document
