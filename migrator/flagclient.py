"""LaunchDarkly's REST API, as far as the controller and the command line need it.

A thin shell: one httpx client, bounded retries, answers parsed with pydantic, errors as
MigratorError with what to do. Never decides anything about a rollout. Works against `migrator
flags serve` and, with another base address, against LaunchDarkly.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Self, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from migrator.errors import InvalidInput, MigratorError, Unavailable
from migrator.plan.model import Stage
from migrator.plan.units import FULL_SHARE

SEMANTIC_PATCH: Final = "application/json; domain-model=launchdarkly.semanticpatch"
_ATTEMPTS: Final = 3
_RETRIED: Final = frozenset({429, 500, 502, 503, 504})
_LONGEST_WAIT: Final = 2.0
_PAGE: Final = 100
_MAX_PAGES: Final = 50

Weights = tuple[tuple[Stage, int], ...]
Instruction = Mapping[str, Any]
_T = TypeVar("_T", bound=BaseModel)


class FlagNotFound(MigratorError):
    """There is no such flag."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Variation(_Answer):
    id: str = Field(alias="_id")
    value: Any


class _Weighted(_Answer):
    variation: int
    weight: int


class _Rollout(_Answer):
    variations: tuple[_Weighted, ...]


class _Fallthrough(_Answer):
    variation: int | None = None
    rollout: _Rollout | None = None


class _Prerequisite(_Answer):
    key: str


class _Environment(_Answer):
    on: bool
    version: int
    fallthrough: _Fallthrough = _Fallthrough()
    prerequisites: tuple[_Prerequisite, ...] = ()


class Flag(_Answer):
    """A flag in REST form, with one environment."""

    key: str
    variations: tuple[Variation, ...]
    environments: Annotated[dict[str, _Environment], Field(min_length=1)]

    @property
    def environment(self) -> _Environment:
        """The one environment that was asked for."""
        return next(iter(self.environments.values()))

    @property
    def on(self) -> bool:
        return self.environment.on

    @property
    def version(self) -> int:
        return self.environment.version

    def weights(self) -> Weights | None:
        """The fallthrough's shares by stage, without empty ones; None if it is anything else."""
        fallthrough = self.environment.fallthrough
        if fallthrough.variation is not None:
            pairs = [(fallthrough.variation, FULL_SHARE)]
        elif fallthrough.rollout is not None:
            pairs = sorted(
                (w.variation, w.weight) for w in fallthrough.rollout.variations if w.weight
            )
        else:
            return None
        try:
            return tuple((Stage(self.variations[index].value), weight) for index, weight in pairs)
        except (IndexError, ValueError):
            return None

    def variation_id(self, value: object) -> str:
        """The `_id` of the variation with `value`. Raises MigratorError if there is none."""
        for variation in self.variations:
            if variation.value == value and type(variation.value) is type(value):
                return variation.id
        raise InvalidInput(
            f"flag {self.key} has no variation {value!r}",
            hint="restore its variations in the flag server, or delete the flag: it is made anew",
        )


class _Member(_Answer):
    id: str = Field(default="", alias="_id")
    email: str = ""
    firstName: str = ""
    lastName: str = ""


class AuditEntry(_Answer):
    """One change, newest first in lists. `via`: `api`, `dashboard`, `cli` or empty."""

    id: str = Field(alias="_id")
    date: int
    """Unix milliseconds."""
    member: _Member | None = None
    via: str = ""
    comment: str = ""

    @property
    def by(self) -> str:
        """The member's name."""
        if self.member is None:
            return "someone"
        names = f"{self.member.firstName} {self.member.lastName}".strip()
        return names or self.member.email or self.member.id or "someone"


class _Flags(_Answer):
    items: tuple[Flag, ...]


class _AuditLog(_Answer):
    items: tuple[AuditEntry, ...]


class FlagClient:
    """Flags of one project and environment. Use as an async context manager."""

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        project: str,
        environment: str,
        via: str | None = None,
        timeout: float = 3.0,
    ) -> None:
        self._project = project
        self._environment = environment
        self._token_end = token[-4:]
        headers = {"Authorization": token, "LD-API-Version": "20240415"}
        if via is not None:
            headers["X-Migrator-Via"] = via
        self._http = httpx.AsyncClient(
            base_url=base_url, headers=headers, timeout=timeout, trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def list_flags(self) -> dict[str, Flag]:
        """Every flag by its key."""
        found: dict[str, Flag] = {}
        for page in range(_MAX_PAGES):
            query = f"filterEnv={self._environment}&env={self._environment}&summary=0"
            query += f"&limit={_PAGE}&offset={page * _PAGE}"
            answer = await self._ask("GET", f"/api/v2/flags/{self._project}?{query}")
            items = self._parse(_Flags, answer).items
            new = {flag.key: flag for flag in items if flag.key not in found}
            found.update(new)
            if len(items) < _PAGE or not new:
                break
        return found

    async def get(self, key: str) -> Flag:
        """One flag. Raises FlagNotFound."""
        path = f"/api/v2/flags/{self._project}/{key}?env={self._environment}"
        return self._parse(Flag, await self._ask("GET", path))

    async def create(self, body: Mapping[str, Any]) -> Flag:
        """Create a flag, or return the one that is there already."""
        answer = await self._ask(
            "POST", f"/api/v2/flags/{self._project}", json=body, accepted=(409,)
        )
        if answer.status_code == 409:
            return await self.get(str(body["key"]))
        return self._parse(Flag, answer)

    async def patch(self, key: str, instructions: Sequence[Instruction], comment: str) -> Flag:
        """Apply a semantic patch, all of it or nothing. Raises FlagNotFound."""
        answer = await self._ask(
            "PATCH",
            f"/api/v2/flags/{self._project}/{key}",
            json={
                "environmentKey": self._environment,
                "comment": comment,
                "instructions": list(instructions),
            },
            content_type=SEMANTIC_PATCH,
        )
        return self._parse(Flag, answer)

    async def audit(self, key: str, *, limit: int = 20) -> tuple[AuditEntry, ...]:
        """The newest changes of one flag, newest first."""
        spec = f"proj/{self._project}:env/{self._environment}:flag/{key}"
        answer = await self._ask("GET", f"/api/v2/auditlog?spec={spec}&limit={limit}")
        return self._parse(_AuditLog, answer).items

    async def turn(self, key: str, *, on: bool, comment: str) -> Flag:
        """Turn a flag on or off."""
        kind = "turnFlagOn" if on else "turnFlagOff"
        return await self.patch(key, [{"kind": kind}], comment)

    async def set_shares(
        self, flag: Flag, weights: Weights, *, context_kind: str, comment: str
    ) -> Flag:
        """Turn `flag` on with `weights` as its fallthrough; only what differs is sent.

        A flag that somebody switches off in the same moment so stays off.
        """
        instructions: list[Instruction] = []
        if not flag.on:
            instructions.append({"kind": "turnFlagOn"})
        if flag.weights() != weights:
            share: dict[str, Any] = {"kind": "updateFallthroughVariationOrRollout"}
            if len(weights) == 1:
                share["variationId"] = flag.variation_id(str(weights[0][0]))
            else:
                share["rolloutContextKind"] = context_kind
                share["rolloutWeights"] = {
                    flag.variation_id(str(stage)): weight for stage, weight in weights
                }
            instructions.append(share)
        return await self.patch(flag.key, instructions, comment)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accepted: tuple[int, ...] = (),
    ) -> httpx.Response:
        headers = {"Content-Type": content_type} if json is not None else {}
        problem = ""
        for attempt in range(_ATTEMPTS):
            wait = 0.1 * 2**attempt
            try:
                answer = await self._http.request(method, path, json=json, headers=headers)
            except httpx.TransportError as error:
                problem = str(error) or type(error).__name__
            else:
                if answer.is_success or answer.status_code in accepted:
                    return answer
                if answer.status_code not in _RETRIED:
                    raise self._refused(method, path, answer)
                problem = f"{answer.status_code} {answer.reason_phrase}"
                wait = _retry_after(answer, wait)
            if attempt + 1 < _ATTEMPTS:
                await asyncio.sleep(wait)
        raise Unavailable(
            f"the flag server at {self._http.base_url} does not answer: {problem}",
            hint="is it running? `migrator up` starts it, `migrator logs flags` shows its output",
        )

    def _refused(self, method: str, path: str, answer: httpx.Response) -> MigratorError:
        place = f"{method} {path.partition('?')[0]}"
        if answer.status_code in (401, 403):
            return InvalidInput(
                f"the flag server refused the token that ends in …{self._token_end} ({place}: "
                f"{answer.status_code})",
                hint="credentials.json and secrets.json in the state folder must be of the same "
                "start; for LaunchDarkly make an access token with the Writer role",
            )
        message = _message(answer)
        if answer.status_code == 404:
            return FlagNotFound(f"{place}: {message}", hint="`migrator status` lists what there is")
        return MigratorError(f"{place}: {answer.status_code} {message}")

    def _parse(self, model: type[_T], answer: httpx.Response) -> _T:
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise Unavailable(
                f"{answer.request.method} {answer.request.url.path}: {place}: {first['msg']}",
                hint="is this address a flag server with LaunchDarkly's REST API?",
            ) from error


def _retry_after(answer: httpx.Response, default: float) -> float:
    try:
        return min(float(answer.headers.get("Retry-After", default)), _LONGEST_WAIT)
    except ValueError:
        return default


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
