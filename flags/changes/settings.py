"""What all environments of a flag share: its variations, names, tags and availability."""

from typing import Any, Literal

from flags.changes.base import FlagInstruction, Name, World, index_of, renumbered, replaced, same
from flags.model import Config, Flag, Json, Key, Text, Variation

Availability = Literal["usingEnvironmentId", "usingMobileKey"]


class AddVariation(FlagInstruction):
    kind: Literal["addVariation"]
    value: Json
    name: Text = ""
    description: Text = ""

    def apply(self, flag: Flag, world: World) -> Flag:
        if flag.kind != "multivariate":
            raise ValueError(f"the variations of a {flag.kind} flag are fixed")
        if any(same(v.value, self.value) for v in flag.variations):
            raise ValueError(f"there is a variation with the value {self.value!r} already")
        new = Variation(
            id=world.new_id(), value=self.value, name=self.name, description=self.description
        )
        return flag.changed(variations=(*flag.variations, new))


class UpdateVariation(FlagInstruction):
    kind: Literal["updateVariation"]
    variationId: str
    value: Json = None
    name: Text | None = None
    description: Text | None = None

    def apply(self, flag: Flag, world: World) -> Flag:
        at = index_of(flag, self.variationId)
        changes: dict[str, Any] = {
            field: getattr(self, field) for field in self.model_fields_set - {"kind", "variationId"}
        }
        if "value" in changes and not same(changes["value"], flag.variations[at].value):
            if flag.kind != "multivariate":
                raise ValueError(f"the values of a {flag.kind} flag are fixed")
            if any(same(v.value, self.value) for v in flag.variations):
                raise ValueError(f"there is a variation with the value {self.value!r} already")
        return flag.changed(
            variations=replaced(flag.variations, at, flag.variations[at].changed(**changes))
        )


class RemoveVariation(FlagInstruction):
    kind: Literal["removeVariation"]
    variationId: str

    def apply(self, flag: Flag, world: World) -> Flag:
        """Later variations move up, wherever they are named. Refused while it is in use."""
        gone = index_of(flag, self.variationId)
        if flag.kind != "multivariate":
            raise ValueError(f"the variations of a {flag.kind} flag are fixed")
        if len(flag.variations) == 1:
            raise ValueError("a flag needs a variation")
        if gone in (flag.defaults.on_variation, flag.defaults.off_variation):
            raise ValueError("the variation is a default of new environments; change that first")
        for name, config in flag.environments.items():
            if use := _use(config, gone):
                raise ValueError(f"the variation is in use in environment {name!r}: {use}")
        for key, environment, variation in world.needed_by(flag.key):
            if variation >= gone:
                raise ValueError(f"flag {key!r} needs it, or a later one, in {environment!r}")
        return flag.changed(
            variations=replaced(flag.variations, gone),
            defaults={name: at - (at > gone) for name, at in flag.defaults.model_dump().items()},
            environments={
                name: renumbered(config, lambda at: at - (at > gone))
                for name, config in flag.environments.items()
            },
        )


class UpdateDefaultVariation(FlagInstruction):
    """What new environments begin with; names values, not ids."""

    kind: Literal["updateDefaultVariation"]
    onVariationValue: Json = None
    offVariationValue: Json = None

    def apply(self, flag: Flag, world: World) -> Flag:
        given = {
            field: _with_value(flag, getattr(self, wire))
            for field, wire in (
                ("on_variation", "onVariationValue"),
                ("off_variation", "offVariationValue"),
            )
            if wire in self.model_fields_set
        }
        if not given:
            raise ValueError("expected onVariationValue, offVariationValue or both")
        return flag.changed(defaults=flag.defaults.changed(**given))


class UpdateName(FlagInstruction):
    kind: Literal["updateName"]
    value: Name

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(name=self.value)


class UpdateDescription(FlagInstruction):
    kind: Literal["updateDescription"]
    value: Text

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(description=self.value)


class AddTags(FlagInstruction):
    kind: Literal["addTags"]
    values: list[Key]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(tags=tuple(dict.fromkeys((*flag.tags, *self.values))))


class RemoveTags(FlagInstruction):
    kind: Literal["removeTags"]
    values: list[Key]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(tags=tuple(t for t in flag.tags if t not in self.values))


class MakeFlagTemporary(FlagInstruction):
    kind: Literal["makeFlagTemporary"]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(temporary=True)


class MakeFlagPermanent(FlagInstruction):
    kind: Literal["makeFlagPermanent"]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(temporary=False)


class TurnOnClientSideAvailability(FlagInstruction):
    kind: Literal["turnOnClientSideAvailability"]
    value: Availability

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(**{_AVAILABILITY[self.value]: True})


class TurnOffClientSideAvailability(FlagInstruction):
    kind: Literal["turnOffClientSideAvailability"]
    value: Availability

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(**{_AVAILABILITY[self.value]: False})


class ArchiveFlag(FlagInstruction):
    kind: Literal["archiveFlag"]

    def apply(self, flag: Flag, world: World) -> Flag:
        users = sorted({key for key, _, _ in world.needed_by(flag.key)})
        if users:
            raise ValueError(f"flag {flag.key!r} is a prerequisite of {', '.join(users)}")
        return flag.changed(archived=True)


class RestoreFlag(FlagInstruction):
    kind: Literal["restoreFlag"]

    def apply(self, flag: Flag, world: World) -> Flag:
        return flag.changed(archived=False)


_AVAILABILITY: dict[Availability, str] = {
    "usingEnvironmentId": "using_environment_id",
    "usingMobileKey": "using_mobile_key",
}


def _with_value(flag: Flag, value: object) -> int:
    for at, variation in enumerate(flag.variations):
        if same(variation.value, value):
            return at
    known = ", ".join(repr(v.value) for v in flag.variations)
    raise ValueError(f"no variation has the value {value!r}; known: {known}")


def _use(config: Config, variation: int) -> str | None:
    """Where `config` gives `variation`, if anywhere."""
    if config.off_variation == variation:
        return "it is served while the flag is off"
    if variation in config.fallthrough.variations():
        return "the default rule serves it"
    if any(t.variation == variation for t in config.targets):
        return "it has individual targets"
    for number, rule in enumerate(config.rules, 1):
        if variation in rule.serve.variations():
            return f"rule {number} serves it"
    return None
