"""What all environments share: variations, names, tags, availability, life cycle."""

from collections.abc import Mapping
from typing import Any

import pytest

from flag_builders import PRODUCTION, a_boolean, a_choice, a_config, a_staged, patched, within
from flags.errors import Rejected
from flags.model import Defaults, Flag, Prerequisite, Rollout, Serve, WeightedVariation

Instruction = Mapping[str, Any]
STAGED, BOOLEAN, CHOICE = a_staged(), a_boolean(), a_choice()


def add(value: Any, **fields: Any) -> Instruction:
    return {"kind": "addVariation", "value": value, **fields}


def update(variation: str, **fields: Any) -> Instruction:
    return {"kind": "updateVariation", "variationId": variation, **fields}


def remove(value: str) -> Instruction:
    return {"kind": "removeVariation", "variationId": f"v-{value}"}


def values(flag: Flag) -> list[Any]:
    return [v.value for v in flag.variations]


@pytest.mark.parametrize(
    ("instructions", "changes"),
    [
        pytest.param([{"kind": "updateName", "value": "N"}], {"name": "N"}, id="name"),
        pytest.param(
            [{"kind": "updateDescription", "value": "D"}], {"description": "D"}, id="description"
        ),
        pytest.param(
            [{"kind": "addTags", "values": ["b", "a", "b"]}], {"tags": ("b", "a")}, id="tags"
        ),
        pytest.param(
            [
                {"kind": "addTags", "values": ["a", "b"]},
                {"kind": "removeTags", "values": ["a", "z"]},
            ],
            {"tags": ("b",)},
            id="remove-tags",
        ),
        pytest.param([{"kind": "archiveFlag"}], {"archived": True}, id="archive"),
        pytest.param([{"kind": "archiveFlag"}, {"kind": "restoreFlag"}], {}, id="restore"),
        pytest.param([{"kind": "makeFlagPermanent"}], {"temporary": False}, id="permanent"),
        pytest.param(
            [{"kind": "makeFlagPermanent"}, {"kind": "makeFlagTemporary"}], {}, id="temporary"
        ),
        pytest.param(
            [{"kind": "turnOnClientSideAvailability", "value": "usingEnvironmentId"}],
            {"using_environment_id": True},
            id="browsers",
        ),
        pytest.param(
            [{"kind": "turnOnClientSideAvailability", "value": "usingMobileKey"}],
            {"using_mobile_key": True},
            id="mobile",
        ),
        pytest.param(
            [
                {"kind": "turnOnClientSideAvailability", "value": "usingMobileKey"},
                {"kind": "turnOffClientSideAvailability", "value": "usingMobileKey"},
            ],
            {},
            id="no-mobile",
        ),
    ],
)
def test_simple(instructions: list[Instruction], changes: dict[str, Any]) -> None:
    for environment in (PRODUCTION, None):
        assert patched(STAGED, *instructions, environment=environment) == STAGED.changed(**changes)


def test_what_needs_no_environment_touches_none() -> None:
    assert patched(STAGED, {"kind": "updateName", "value": "N"}).environments == {}


class TestVariations:
    def test_add(self) -> None:
        flag = patched(CHOICE, add({"x": [1]}, name="N", description="D"))
        assert values(flag) == ["a", "b", "c", "d", {"x": [1]}]
        added = flag.variations[-1]
        assert (added.name, added.description) == ("N", "D")
        assert added.id not in {v.id for v in CHOICE.variations}

    @pytest.mark.parametrize(
        "value",
        [True, 1.5, None, [1], {"a": 2}, [True], {"a": True}, "1"],
        ids=repr,
    )
    def test_values_that_only_python_takes_for_others(self, value: Any) -> None:
        flag = a_choice([1, 0, "x", [1, 2], {"a": 1}])
        assert values(patched(flag, add(value)))[-1] == value

    @pytest.mark.parametrize(
        ("instruction", "changes"),
        [
            pytest.param(update("v-b", value="z"), {"value": "z"}, id="value"),
            pytest.param(update("v-b", value=None), {"value": None}, id="null"),
            pytest.param(update("v-b", name="N"), {"name": "N"}, id="name"),
            pytest.param(update("v-b", description="D"), {"description": "D"}, id="description"),
            pytest.param(update("v-b", value="b", name="N"), {"name": "N"}, id="same-value"),
            pytest.param(update("v-b"), {}, id="nothing"),
        ],
    )
    def test_update(self, instruction: Instruction, changes: dict[str, Any]) -> None:
        a, b, c, d = CHOICE.variations
        assert patched(CHOICE, instruction).variations == (a, b.changed(**changes), c, d)

    def test_names_of_fixed_variations(self) -> None:
        assert patched(BOOLEAN, update("yes", name="On")).variations[0].name == "On"
        assert patched(STAGED, update("v-off", value="off", name="Old")).variations[0].name == "Old"

    def test_defaults(self) -> None:
        change: Instruction = {"kind": "updateDefaultVariation", "onVariationValue": "c"}
        assert patched(CHOICE, change).defaults == Defaults(on_variation=2, off_variation=0)
        change = {**change, "offVariationValue": "d"}
        assert patched(CHOICE, change).defaults == Defaults(on_variation=2, off_variation=3)
        flag = a_choice([1, True])
        change = {"kind": "updateDefaultVariation", "onVariationValue": True}
        assert patched(flag, change).defaults.on_variation == 1


class TestRemove:
    """The variation that goes is b, of a, b, c and d: later ones move up."""

    @pytest.fixture
    def everywhere(self) -> Flag:
        """Names a, c and d in every place, in two environments."""

        def shares(*indexes: int) -> Serve:
            weights = [50_000, 30_000, 20_000]
            return Serve(
                rollout=Rollout(
                    variations=tuple(
                        WeightedVariation(variation=i, weight=w)
                        for i, w in zip(indexes, weights, strict=True)
                    )
                )
            )

        clause = {"id": "c1", "attribute": "odd", "op": "in"}
        # What looks like a variation within a value is none.
        odd = {**clause, "values": [{"variation": 3, "off_variation": "text"}, 3]}
        config = a_config(
            off_variation=3,
            fallthrough=shares(0, 2, 3),
            targets=[
                {"variation": 2, "values": ["u"]},
                {"variation": 0, "values": ["v"]},
                {"variation": 3, "values": ["u"], "context_kind": "org"},
            ],
            rules=[
                {"id": "r1", "clauses": [odd], "serve": shares(3, 0, 2)},
                {"id": "r2", "clauses": [odd], "serve": {"variation": 2}},
            ],
            prerequisites=[Prerequisite(key="other", variation=3)],
        )
        flag = a_choice(defaults={"on_variation": 3, "off_variation": 0})
        return flag.with_config(PRODUCTION, config).with_config(
            "staging", config.changed(off_variation=None)
        )

    def test_every_index_follows(self, everywhere: Flag) -> None:
        other = a_choice(key="other")
        flag = patched(everywhere, remove("b"), others=[other], environment=None)
        assert values(flag) == ["a", "c", "d"]
        assert flag.defaults == Defaults(on_variation=2, off_variation=0)
        for environment, off in ((PRODUCTION, 2), ("staging", None)):
            before, config = everywhere.config(environment), flag.config(environment)
            assert config.off_variation == off
            rollout = config.fallthrough.rollout
            assert rollout is not None
            assert [(v.variation, v.weight) for v in rollout.variations] == [
                (0, 50_000), (1, 30_000), (2, 20_000),
            ]  # fmt: skip
            assert [(t.variation, t.values, t.context_kind) for t in config.targets] == [
                (1, ("u",), "user"), (0, ("v",), "user"), (2, ("u",), "org"),
            ]  # fmt: skip
            first, second = config.rules
            assert first.serve.rollout is not None
            assert [v.variation for v in first.serve.rollout.variations] == [2, 0, 1]
            assert second.serve.variation == 1
            assert [r.clauses for r in config.rules] == [r.clauses for r in before.rules]
            assert config.prerequisites == before.prerequisites
            assert (config.version, config.salt) == (before.version, before.salt)

    def test_what_is_given_stays_the_same(self, everywhere: Flag) -> None:
        flag = patched(everywhere, remove("b"), environment=None)
        for before, after in zip(
            everywhere.environments.values(), flag.environments.values(), strict=True
        ):
            pairs = zip(before.targets, after.targets, strict=True)
            for old, new in pairs:
                assert (
                    everywhere.variations[old.variation].value
                    == flag.variations[new.variation].value
                )

    @pytest.mark.parametrize(
        ("use", "message"),
        [
            pytest.param(
                {"off_variation": 1}, "it is served while the flag is off", id="off-variation"
            ),
            pytest.param(
                {"fallthrough": {"variation": 1}}, "the default rule serves it", id="fallthrough"
            ),
            pytest.param(
                {
                    "fallthrough": {
                        "rollout": {
                            "variations": [
                                {"variation": 0, "weight": 100_000},
                                {"variation": 1, "weight": 0},
                            ]
                        }
                    }
                },
                "the default rule serves it",
                id="a-share-of-0",
            ),
            pytest.param(
                {"targets": [{"variation": 1, "values": ["u"]}]},
                "it has individual targets",
                id="targets",
            ),
            pytest.param(
                {
                    "rules": [
                        {
                            "id": "r1",
                            "clauses": [{"id": "c", "attribute": "a", "op": "in", "values": []}],
                            "serve": {"variation": variation},
                        }
                        for variation in (0, 1)
                    ]
                },
                "rule 2 serves it",
                id="rule",
            ),
        ],
    )
    @pytest.mark.parametrize("environment", [PRODUCTION, "staging"])
    def test_not_while_it_is_in_use(
        self, use: dict[str, Any], message: str, environment: str
    ) -> None:
        flag = within(CHOICE, environment, **use)
        with pytest.raises(Rejected) as caught:
            patched(flag, remove("b"), environment=None)
        assert str(caught.value) == (
            "instructions[0] (removeVariation): the variation is in use in environment "
            f"{environment!r}: {message}"
        )

    @pytest.mark.parametrize(
        ("needed", "refused"),
        [
            pytest.param(0, False, id="earlier"),
            pytest.param(1, True, id="this"),
            pytest.param(2, True, id="later"),
        ],
    )
    def test_not_while_another_flag_needs_it(self, needed: int, refused: bool) -> None:
        """Its prerequisite names an index, which would be of another variation."""
        needs = (Prerequisite(key=CHOICE.key, variation=needed),)
        other = within(STAGED, "staging", prerequisites=needs)
        if refused:
            with pytest.raises(
                Rejected, match="flag 'publishing' needs it, or a later one, in 'staging'"
            ):
                patched(CHOICE, remove("b"), others=[other])
        else:
            assert values(patched(CHOICE, remove("b"), others=[other])) == ["a", "c", "d"]

    @pytest.mark.parametrize("name", ["on_variation", "off_variation"])
    def test_not_while_it_is_a_default(self, name: str) -> None:
        flag = a_choice(defaults={"on_variation": 0, "off_variation": 0, name: 1})
        with pytest.raises(Rejected, match="the variation is a default of new environments"):
            patched(flag, remove("b"))

    def test_not_the_last_one(self) -> None:
        with pytest.raises(Rejected, match="a flag needs a variation"):
            patched(a_choice("a"), remove("a"))


@pytest.mark.parametrize(
    ("flag", "instruction", "message"),
    [
        pytest.param(
            BOOLEAN, add(7), "addVariation): the variations of a boolean flag are fixed", id="b-add"
        ),
        pytest.param(
            STAGED, add("x"), "addVariation): the variations of a migration flag are", id="m-add"
        ),
        pytest.param(
            CHOICE,
            add("b"),
            "addVariation): there is a variation with the value 'b' already",
            id="add-twice",
        ),
        pytest.param(
            a_choice([[1]]),
            add([1]),
            "addVariation): there is a variation with the value [1] already",
            id="add-list-twice",
        ),
        pytest.param(
            CHOICE, {"kind": "addVariation"}, "addVariation): value: Field required", id="add-what"
        ),
        pytest.param(
            CHOICE, add(float("inf")), "addVariation): value: Out of range float", id="infinity"
        ),
        pytest.param(
            a_choice(range(100)), add("x"), "addVariation): variations: Tuple should", id="too-many"
        ),
        pytest.param(
            BOOLEAN,
            update("yes", value=1),
            "updateVariation): the values of a boolean flag are fixed",
            id="b-update",
        ),
        pytest.param(
            STAGED,
            update("v-off", value="x"),
            "updateVariation): the values of a migration flag are fixed",
            id="m-update",
        ),
        pytest.param(
            CHOICE,
            update("v-a", value="b"),
            "updateVariation): there is a variation with the value 'b' already",
            id="update-to-known",
        ),
        pytest.param(
            CHOICE,
            update("nope", name="n"),
            "updateVariation): variation 'nope' is not of flag 'home-page', which has v-a ('a'), ",
            id="update-unknown",
        ),
        pytest.param(
            STAGED, remove("off"), "removeVariation): the variations of a migration", id="m-remove"
        ),
        pytest.param(
            BOOLEAN,
            {"kind": "removeVariation", "variationId": "yes"},
            "removeVariation): the variations of a boolean flag are fixed",
            id="b-remove",
        ),
        pytest.param(
            CHOICE, remove("z"), "removeVariation): variation 'v-z' is not of flag", id="remove-z"
        ),
        pytest.param(
            CHOICE,
            {"kind": "updateDefaultVariation"},
            "updateDefaultVariation): expected onVariationValue, offVariationValue or both",
            id="default-what",
        ),
        pytest.param(
            CHOICE,
            {"kind": "updateDefaultVariation", "onVariationValue": "z"},
            "updateDefaultVariation): no variation has the value 'z'; known: 'a', 'b', 'c', 'd'",
            id="default-unknown",
        ),
        pytest.param(
            CHOICE,
            {"kind": "addTags", "values": ["a b"]},
            "addTags): values.0: String should match pattern",
            id="bad-tag",
        ),
        pytest.param(
            CHOICE,
            {"kind": "addTags", "values": [f"t{i}" for i in range(51)]},
            "addTags): tags: Tuple should have at most 50 items",
            id="too-many-tags",
        ),
        pytest.param(
            CHOICE,
            {"kind": "updateName", "value": ""},
            "updateName): value: String should have at least 1 character",
            id="empty-name",
        ),
        pytest.param(
            CHOICE,
            {"kind": "updateName", "value": "\udc80"},
            "updateName): value: ",
            id="lone-surrogate",
        ),
        pytest.param(
            CHOICE,
            {"kind": "updateDescription", "value": "x" * 2001},
            "updateDescription): value: String should have at most 2000 characters",
            id="long-description",
        ),
        pytest.param(
            CHOICE,
            {"kind": "turnOnClientSideAvailability", "value": "usingClientId"},
            "turnOnClientSideAvailability): value: Input should be 'usingEnvironmentId' or "
            "'usingMobileKey'",
            id="availability",
        ),
    ],
)
def test_refused(flag: Flag, instruction: Instruction, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        patched(flag, instruction)
    assert str(caught.value).startswith(f"instructions[0] ({message}")


def test_what_others_need_is_not_archived() -> None:
    needs = (Prerequisite(key=BOOLEAN.key, variation=0),)
    others = [within(STAGED, "staging", prerequisites=needs), within(CHOICE, prerequisites=needs)]
    with pytest.raises(
        Rejected, match="flag 'articles-service' is a prerequisite of home-page, publishing"
    ):
        patched(BOOLEAN, {"kind": "archiveFlag"}, others=others)
