"""What goes along with a request, and what counts of what came."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ldclient import LDClient
from ldclient.config import Config
from ldclient.versioned_data_kind import FEATURES, SEGMENTS

from routing.config import ProxyConfig
from routing.context import ContextReader, parse_header
from routing.decision import Evaluation
from routing.decisions import CARRIED, DECISIONS_HEADER, Decisions, Propagated, read, write
from routing.evaluator import Evaluator, Known
from routing.flag_cache import RememberingStore
from routing.outcomes import Outcomes
from routing.propagation import SIGN_EVERY, Propagator
from routing.signing import Keyring, Keyrings
from routing.stages import Stage
from routing.table import RouteTable

RING = Keyring("decisions", [b"k" * 32])
CONFIG = ProxyConfig.model_validate(
    {
        "migration": "test",
        "listen": {"port": 0},
        "gateway": {"port": 0},
        "monolith": "http://127.0.0.1:1",
        "services": {"s": "http://127.0.0.1:2"},
        "capabilities": {
            name: {"flag": name, "routes": [{"path": f"/{name}", "service": "s"}]}
            for name in ("articles", "comments", "missing")
        },
    }
)
ARTICLES, COMMENTS, MISSING = RouteTable(CONFIG.capabilities).routes


def flag(key: str, *, on: bool = True) -> dict[str, Any]:
    return {
        "key": key,
        "version": 7,
        "on": on,
        "variations": [stage.value for stage in Stage],
        "offVariation": 0,
        "fallthrough": {"variation": 2},
        "salt": key,
        "rules": [],
        "targets": [],
        "prerequisites": [],
    }


@pytest.fixture
def evaluator(tmp_path: Path) -> Iterator[Evaluator]:
    """Knows `articles`, which is at shadow, and `comments`, which is off."""
    store = RememberingStore(tmp_path, "sdk-key", writes=False, on_change=lambda: None)
    flags = {"articles": flag("articles"), "comments": flag("comments", on=False)}
    store.init({FEATURES: flags, SEGMENTS: {}})
    config = Config("sdk-key", feature_store=store, use_ldd=True, send_events=False)
    with closing(LDClient(config)) as client:
        yield Evaluator(client, store)


@pytest.fixture
def outcomes() -> Outcomes:
    return Outcomes()


@pytest.fixture
def propagator(evaluator: Evaluator, outcomes: Outcomes) -> Propagator:
    return Propagator(CONFIG, Keyrings(RING, None), evaluator, outcomes)


@pytest.fixture
def known(evaluator: Evaluator) -> Known:
    contexts = ContextReader(CONFIG.context)
    return evaluator.known(contexts.at_gateway({}), contexts.build)


def carried(propagator: Propagator, known: Known, **evaluations: Evaluation) -> Propagated:
    token = write(Decisions(2**40, evaluations), RING, known.header)
    assert token is not None
    assert propagator.extract({DECISIONS_HEADER: token}, known) is None, "from the future"
    told = read(token, RING, known.header)
    assert told is not None
    return Propagated(b"", b"", told.evaluations, carried=True)


def test_all_capabilities_are_sent_along(propagator: Propagator, known: Known) -> None:
    propagated = propagator.refresh(known, now=100.0)
    lines = dict(line.split(b": ") for line in propagated.lines.split(b"\r\n")[:-1])
    assert parse_header(lines[b"X-Migrator-Context"]) == known.document
    told = read(lines[b"X-Migrator-Decisions"], RING, known.header)
    assert told is not None
    assert told.evaluations == {
        "articles": Evaluation(Stage.SHADOW, CARRIED, 7, 2),
        "comments": Evaluation(Stage.OFF, CARRIED, 7, 0),
    }
    assert known.propagated is propagated
    assert known.fresh_until == 100.0 + SIGN_EVERY


def test_what_counts(
    propagator: Propagator, known: Known, evaluator: Evaluator, outcomes: Outcomes
) -> None:
    """And it is counted as the variation that it is, once; what was sent along is not."""
    propagator.refresh(known, now=0.0)
    live = Evaluation(Stage.LIVE, CARRIED, 6, 3)
    told = carried(propagator, known, articles=live, comments=live)
    assert propagator.settle(ARTICLES, known, told) == live
    assert propagator.settle(COMMENTS, known, told).reason == "OFF"
    assert propagator.settle(MISSING, known, told).reason == "FLAG_NOT_FOUND"
    counted = outcomes.document()["carried_decisions"]
    assert counted == {"honoured": 1, "flag_off": 1, "unknown": 1, "late": 1, "forged": 0}
    event = evaluator.counts.take(0.0)
    assert event is not None
    counters = {name: each["counters"] for name, each in event["features"].items()}
    assert counters == {
        "articles": [{"value": "live", "count": 1, "version": 6, "variation": 3}],
        "comments": [{"value": "off", "count": 1, "version": 7, "variation": 0}],
        "missing": [{"value": "off", "count": 1, "unknown": True}],
    }


def test_an_override_is_no_evaluation(
    propagator: Propagator, known: Known, evaluator: Evaluator
) -> None:
    override = Evaluation(Stage.LIVE, "OVERRIDE", None)
    told = carried(propagator, known, articles=override)
    assert propagator.settle(ARTICLES, known, told) == override
    assert evaluator.counts.take(0.0) is None


def test_switched_off(evaluator: Evaluator, outcomes: Outcomes, known: Known) -> None:
    silent = Propagator(CONFIG, Keyrings(None, None), evaluator, outcomes)
    propagated = silent.refresh(known, now=0.0)
    assert propagated.lines == b"X-Migrator-Context: %b\r\n" % known.header
    token = write(Decisions(0, {"a": Evaluation(Stage.LIVE, CARRIED, 1)}), RING, known.header)
    assert token is not None
    assert silent.extract({DECISIONS_HEADER: token}, known) is None
