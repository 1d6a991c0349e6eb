"""The same answers as LaunchDarkly's SDK for Python, for whatever flags and contexts.

bench/flags/agreement.py does the same in volume, and with the SDK for Node.js too.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from ldclient.context import Context as SdkContext

from evaluation_worlds import World, worlds
from flags.evaluation import Context, evaluate, evaluate_all
from official_sdk import Answer, OfficialSdk

pytestmark = pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")


@settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds())
def test_agreement(world: World) -> None:
    """5 flags for each of 6 contexts: 2,100 pairs."""
    official = OfficialSdk(world.snapshot)
    for document in world.contexts:
        context, theirs = Context.parse(document), SdkContext.from_dict(document)
        everything = evaluate_all(world.snapshot, context, lambda _flag: True)
        for key, flag in world.snapshot.flags.items():
            expected = official.evaluate(key, theirs)
            assert Answer.of(evaluate(flag, context, world.snapshot)) == expected
            assert Answer.of(everything[key]) == expected


@settings(max_examples=70, deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds())
def test_contexts(world: World) -> None:
    for document in world.contexts:
        context, theirs = Context.parse(document), SdkContext.from_dict(document)
        assert context.canonical_key == theirs.fully_qualified_key
        assert SdkContext.from_dict(context.to_json()) == theirs
