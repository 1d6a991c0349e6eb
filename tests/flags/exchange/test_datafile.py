"""LaunchDarkly's data file: SDKs read what is written, and what they read can be imported."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from ldclient import Config, Context, LDClient
from ldclient.integrations import Files

from evaluation_worlds import World, worlds
from flag_builders import PRODUCTION, a_boolean, a_segment, a_staged, within
from flags.errors import Rejected
from flags.exchange.datafile import from_datafile, is_datafile, to_datafile
from flags.wire.encoding import compact
from flags.wire.sdk import sdk_flag, sdk_segment

NOW = 1_800_000_000_000


def read(document: Any, **known: Any) -> Any:
    ids = count(1)
    return from_datafile(
        document,
        "cms",
        PRODUCTION,
        flags=known.get("flags", {}),
        segments=known.get("segments", {}),
        new_id=lambda: f"id-{next(ids)}",
        now_ms=NOW,
    )


def lasting(wire: Any) -> Any:
    """Without versions, and without ids, which are made up where there is none."""
    if isinstance(wire, list):
        return [lasting(item) for item in wire]
    if not isinstance(wire, dict):
        return wire
    return {k: lasting(v) for k, v in wire.items() if k not in ("id", "version", "migration")}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(worlds(contexts=1))
def test_sdks_would_read_the_same_from_what_is_imported(world: World) -> None:
    environment = world.snapshot.environment
    flags, segments = world.snapshot.flags.values(), world.snapshot.segments.values()
    made = from_datafile(
        to_datafile(environment, flags, segments),
        "cms",
        environment,
        flags={},
        segments={},
        new_id=lambda: "an-id",
        now_ms=NOW,
    )
    new_flags = {f.key: f for f in made.read_flags(NOW)}
    for flag in flags:
        if not flag.archived:  # a file says of an archived flag that it is off
            again = new_flags[flag.key]
            assert lasting(sdk_flag(again, environment)) == lasting(sdk_flag(flag, environment))
    for segment, new in zip(segments, made.read_segments(NOW), strict=True):
        assert lasting(sdk_segment(new)) == lasting(sdk_segment(segment))


def test_the_official_sdk_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "flags.json"
    flag = within(a_staged(), on=True, fallthrough={"variation": 3})
    file.write_bytes(compact(to_datafile(PRODUCTION, [flag], [a_segment()])))
    source = Files.new_data_source(paths=[str(file)])
    config = Config("sdk-file", update_processor_class=source, send_events=False)
    client = LDClient(config, start_wait=10)
    try:
        assert client.variation("publishing", Context.create("anyone"), "none") == "live"
    finally:
        client.close()  # type: ignore[no-untyped-call]


def test_what_is_there_keeps_what_a_file_has_not() -> None:
    flag = a_staged(name="Publishing articles", tags=["cms"], description="D")
    document = to_datafile(PRODUCTION, [within(flag, on=True)], [a_segment()])
    known = a_segment(name="Beta readers", tags=["people"])
    made = read(document, flags={flag.key: flag}, segments={known.key: known})
    (new,), (segment,) = made.read_flags(NOW), made.read_segments(NOW)
    assert (new.name, new.tags, new.description) == ("Publishing articles", ("cms",), "D")
    assert [v.id for v in new.variations] == [v.id for v in flag.variations]
    assert new.config(PRODUCTION).on
    assert (segment.name, segment.tags) == ("Beta readers", ("people",))


def test_other_values_make_another_flag() -> None:
    document = {"flagValues": {"articles-service": "both"}}
    (new,) = read(document, flags={"articles-service": a_boolean()}).read_flags(NOW)
    assert [v.value for v in new.variations] == ["both"]
    assert new.config(PRODUCTION).on
    assert new.kind == "multivariate"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({"flags": {}}, True, id="flags"),
        pytest.param({"flagValues": {}}, True, id="values"),
        pytest.param({"segments": {}}, True, id="segments"),
        pytest.param({"apiVersion": "migrator.dev/v1alpha1", "flags": []}, False, id="ours"),
        pytest.param([], False, id="array"),
        pytest.param({}, False, id="empty"),
    ],
)
def test_is_datafile(document: Any, expected: bool) -> None:
    assert is_datafile(document) is expected


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        pytest.param({"flags": []}, "flags: expected an object by key", id="array"),
        pytest.param({"flags": {"a": 7}}, "flags.a: cannot be read", id="number"),
        pytest.param({"flags": {"a": {}}}, "flags.a: cannot be read: KeyError", id="nothing"),
        pytest.param(
            {"flags": {"a": {"variations": [1], "fallthrough": {"rollout": {"variations": []}}}}},
            "flags.a: fallthrough.rollout.variations: ",
            id="rollout",
        ),
        pytest.param(
            {"segments": {"s": {"unbounded": True}}},
            "segments.s: cannot be read: ValueError big segments",
            id="big-segment",
        ),
    ],
)
def test_bad_files(document: Any, problem: str) -> None:
    with pytest.raises(Rejected) as caught:
        read(document)
    assert str(caught.value).startswith(problem)
