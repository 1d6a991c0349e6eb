"""The cache of evaluations: how much it keeps, and that it never says what the SDK would not."""

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from ldclient import Context, LDClient
from ldclient.config import Config
from ldclient.versioned_data_kind import FEATURES, SEGMENTS

from routing.context import RequestContext
from routing.evaluator import Evaluator, Known
from routing.flag_cache import RememberingStore
from routing.stages import Stage

STAGES = [stage.value for stage in Stage]
FLAGS = ["publishing", "search", "articles-service"]
USERS = ["alice", "bob", "carol"]


class Flags:
    """An evaluator as a worker has it, with the official SDK, whose store a test fills."""

    def __init__(self, capacity: int = 10_000) -> None:
        self.store = RememberingStore(
            Path("unused"), "sdk-key", writes=False, on_change=lambda: self.evaluator.clear()
        )
        config = Config("sdk-key", feature_store=self.store, use_ldd=True, send_events=False)
        self.client = LDClient(config)
        self.evaluator = Evaluator(self.client, self.store, capacity=capacity)
        self.evaluator.on_context = lambda context: self._seen.append(weakref.ref(context))
        self.built = 0
        """Contexts that were not in the cache."""
        self._seen: list[weakref.ref[Context]] = []

    @property
    def kept(self) -> int:
        """Contexts that are still in memory."""
        self._seen = [each for each in self._seen if each() is not None]
        return len(self._seen)

    def close(self) -> None:
        self.client.close()  # type: ignore[no-untyped-call]

    def known(self, user: str) -> Known:
        return self.evaluator.known(user.encode(), self._build)

    def _build(self, identity: bytes) -> RequestContext:
        self.built += 1
        return RequestContext({"kind": "user", "key": identity.decode()}, b"")


@pytest.fixture(scope="module")
def ten() -> Iterator[Flags]:
    """With room for ten contexts."""
    flags = Flags(capacity=10)
    flags.store.init({FEATURES: {"publishing": a_flag("publishing", 1, on=True)}, SEGMENTS: {}})
    yield flags
    flags.close()


def a_flag(key: str, version: int, **changes: Any) -> dict[str, Any]:
    """`live` for those of a segment, `shadow` for everybody else; JSON of the SDK's protocol."""
    clause = {"attribute": "", "op": "segmentMatch", "values": ["testers"], "negate": False}
    return {
        "key": key,
        "version": version,
        "on": True,
        "salt": "s",
        "variations": STAGES,
        "offVariation": 0,
        "fallthrough": {"variation": STAGES.index("shadow")},
        "targets": [],
        "rules": [{"id": "r", "clauses": [clause], "variation": STAGES.index("live")}],
        "prerequisites": [],
        **changes,
    }


def a_segment(version: int, included: list[str]) -> dict[str, Any]:
    return {"key": "testers", "version": version, "included": included, "excluded": [], "rules": []}


def test_a_thousand_contexts(ten: Flags) -> None:
    ten.evaluator.clear()
    most = 0
    for number in range(1000):
        ten.evaluator.evaluate("publishing", ten.known(f"user-{number}"))
        most = max(most, ten.kept)
    assert 10 <= most <= 20
    ten.evaluator.clear()
    assert ten.kept == 0


@given(st.lists(st.integers(0, 25), max_size=100))
@settings(deadline=None)
def test_the_ten_of_late_are_kept(ten: Flags, numbers: list[int]) -> None:
    """As long as no flag changes, and beside ten others at most."""
    ten.evaluator.clear()
    lately: list[int] = []
    for number in numbers:
        before = ten.built
        known = ten.known(f"user-{number}")
        assert known.document == {"kind": "user", "key": f"user-{number}"}
        assert ten.kept <= 20
        assert number not in lately[-10:] or ten.built == before
        lately = [*(each for each in lately if each != number), number]


class FlagsChange(RuleBasedStateMachine):
    """Flags, segments and prerequisites come, change and go between evaluations. What the cache
    says is what the SDK says of the flags of the moment."""

    def __init__(self) -> None:
        super().__init__()
        self.flags = Flags(capacity=2)
        self.version = 0

    def teardown(self) -> None:
        self.flags.close()

    @initialize()
    def nothing_is_known_yet(self) -> None:
        found = self.flags.evaluator.evaluate("publishing", self.flags.known("alice"))
        assert (found.stage, found.reason, found.version) == (Stage.OFF, "CLIENT_NOT_READY", None)
        self.a_new_flag_server(2, ["alice"])

    @rule(count=st.integers(0, 3), testers=st.lists(st.sampled_from(USERS), unique=True))
    def a_new_flag_server(self, count: int, testers: list[str]) -> None:
        """Everything is replaced, by lower versions maybe."""
        self.version = 1
        self.flags.store.init(
            {
                FEATURES: {key: a_flag(key, 1) for key in FLAGS[:count]},
                SEGMENTS: {"testers": a_segment(1, testers)},
            }
        )

    @rule(
        key=st.sampled_from(FLAGS),
        on=st.booleans(),
        variation=st.integers(0, len(STAGES)),
        needs=st.none() | st.tuples(st.sampled_from(FLAGS), st.integers(0, len(STAGES) - 1)),
        picked=st.none() | st.sampled_from(USERS),
    )
    def a_flag_changes(
        self,
        key: str,
        on: bool,
        variation: int,
        needs: tuple[str, int] | None,
        picked: str | None,
    ) -> None:
        """One variation too many makes it malformed; it may need itself."""
        self.version += 1
        prerequisites = [] if needs is None else [{"key": needs[0], "variation": needs[1]}]
        targets = [] if picked is None else [{"values": [picked], "variation": 5}]
        flag = a_flag(
            *(key, self.version),
            on=on,
            fallthrough={"variation": variation},
            prerequisites=prerequisites,
            targets=targets,
        )
        self.flags.store.upsert(FEATURES, flag)

    @rule(testers=st.lists(st.sampled_from(USERS), unique=True))
    def a_segment_changes(self, testers: list[str]) -> None:
        self.version += 1
        self.flags.store.upsert(SEGMENTS, a_segment(self.version, testers))

    @rule(key=st.sampled_from(FLAGS))
    def a_flag_goes(self, key: str) -> None:
        self.version += 1
        self.flags.store.delete(FEATURES, key, self.version)

    @invariant()
    def the_cache_is_exact(self) -> None:
        for user in USERS:
            known = self.flags.known(user)
            for key in FLAGS:
                found = self.flags.evaluator.evaluate(key, known)
                assert found == self.flags.evaluator.peek(key, known)
                self._is_what_the_sdk_says(user, key, found)

    def _is_what_the_sdk_says(self, user: str, key: str, found: Any) -> None:
        context = Context.create(user)
        detail = self.flags.client.variation_detail(key, context, "off")
        flag = self.flags.store.get(FEATURES, key, lambda flag: flag)
        kind = detail.reason["kind"]
        assert found.stage.value == detail.value
        assert found.reason == (detail.reason["errorKind"] if kind == "ERROR" else kind)
        assert found.version == (None if flag is None else flag.version)
        assert found.variation == detail.variation_index
        assert found.prerequisite == detail.reason.get("prerequisiteKey")


TestFlagsChange = FlagsChange.TestCase
TestFlagsChange.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
