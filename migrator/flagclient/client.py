"""LaunchDarkly's REST API, as far as the controller and the command line need it.

A thin shell: one httpx client, answers parsed with pydantic. When to repeat is `retry`'s, what a
refusal means is `errors`'. Never decides anything about a rollout. Works against `migrator flags
serve` and, with another address, against LaunchDarkly.
"""

import asyncio
import logging
import random
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from migrator.errors import MigratorError, Unavailable
from migrator.flagclient import errors, signature
from migrator.flagclient.models import (
    AuditEntry,
    AuditLog,
    CustomEventList,
    CustomEvents,
    Environment,
    Flag,
    FlagList,
    Weights,
)
from migrator.flagclient.retry import (
    RATE_LIMITED,
    Outcome,
    RetryPolicy,
    asked_wait,
    next_wait,
    poll_pause,
)
from migrator.flagclient.target import Target

SEMANTIC_PATCH: Final = "application/json; domain-model=launchdarkly.semanticpatch"
_PAGE: Final = 100
_LOOK: Final = "look at flags"
_SHORT: Final = 0.5
"""Seconds; rather waited than answered with an older list."""
_LONGEST_REFUSAL: Final = 120.0
"""Seconds after which a limited rate is tried again, whatever the server asked for."""
_STALE: Final = 90.0
"""Seconds that a list of flags may be used again while the server asks for fewer questions."""

logger = logging.getLogger(__name__)
Instruction = Mapping[str, Any]
_T = TypeVar("_T", bound=BaseModel)


class FlagClient:
    """Flags of one project and environment. Use as an async context manager."""

    def __init__(
        self,
        target: Target,
        *,
        via: str | None = None,
        timeout: float = 3.0,
        policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
    ) -> None:
        self._target = target
        self._via = via
        self._policy = policy
        self._many = False
        """Whether the project has so many flags that they are looked at one by one."""
        self._listed: dict[str, Flag] = {}
        self._listed_at = 0.0
        self._list_again = 0.0
        self._not_before: dict[str, float] = {}
        """When the server will answer again, by kind of request (monotonic seconds)."""
        headers = {"Authorization": target.token, "LD-API-Version": "20240415"}
        if via is not None:
            headers["X-Migrator-Via"] = via
        self._http = httpx.AsyncClient(
            base_url=target.address,
            headers=headers,
            timeout=timeout,
            # A proxy between us and the internet is the machine's business, loopback is not.
            trust_env=target.address.startswith("https:"),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def list_flags(self, keys: Collection[str] | None = None) -> dict[str, Flag]:
        """Flags by key: every one, or at least those of `keys` that exist; always the same `keys`.

        While the server asks for fewer questions it is the list of before, with our own changes.
        """
        now = time.monotonic()
        usable = self._listed_at > 0 and now - self._listed_at < _STALE
        refused_until = self._not_before.get(_LOOK, 0.0)
        if usable and (now < self._list_again or refused_until - now > _SHORT):
            return dict(self._listed)
        try:
            found, answers = await self._look(keys, _SHORT if usable else None)
        except Unavailable:
            if usable and self._not_before.get(_LOOK, 0.0) > time.monotonic():
                return dict(self._listed)
            raise
        pause = poll_pause(answers[-1].headers, time.time()) * len(answers)
        self._list_again = time.monotonic() + pause if pause > _SHORT else 0.0
        self._listed, self._listed_at = found, time.monotonic()
        return dict(found)

    async def _look(
        self, keys: Collection[str] | None, longest: float | None
    ) -> tuple[dict[str, Flag], list[httpx.Response]]:
        """Page by page; key by key where that is fewer requests, in a project of many flags."""
        found: dict[str, Flag] = {}
        answers: list[httpx.Response] = []
        while not self._many:
            query = f"env={self._target.environment}&summary=0"
            query += f"&limit={_PAGE}&offset={len(answers) * _PAGE}"
            path = f"/api/v2/flags/{self._target.project}?{query}"
            answers.append(await self._ask("GET", path, route=_LOOK, longest=longest))
            page = self._parse(FlagList, answers[-1])
            before = len(found)
            found.update({flag.key: self._mine(flag) for flag in page.items})
            if len(page.items) < _PAGE or len(found) == before:
                return found, answers
            self._many = bool(keys) and page.totalCount > _PAGE * len(keys or ())
        for key in keys or ():
            path = f"/api/v2/flags/{self._target.project}/{key}?env={self._target.environment}"
            answer = await self._ask(
                "GET", path, route=_LOOK, flag=key, accepted=(404,), longest=longest
            )
            answers.append(answer)
            if answer.is_success:
                found[key] = self._flag(answer)
        return found, answers

    async def get(self, key: str) -> Flag:
        """One flag. Raises FlagNotFound."""
        path = f"/api/v2/flags/{self._target.project}/{key}?env={self._target.environment}"
        return self._flag(await self._ask("GET", path, route="GET flag", flag=key))

    async def create(self, body: Mapping[str, Any]) -> Flag:
        """Create a flag, or return the one that is there already.

        Raises NotSupported or Forbidden when it is refused.
        """
        path = f"/api/v2/flags/{self._target.project}"
        answer = await self._ask("POST", path, route="POST flag", json=body, accepted=(409,))
        if answer.status_code == 409:
            return await self.get(str(body["key"]))
        return self._known(self._flag(answer))

    async def patch(self, key: str, instructions: Sequence[Instruction], comment: str) -> Flag:
        """Apply a semantic patch, all of it or nothing. Raises FlagNotFound."""
        if self._target.author is not None:
            comment = signature.sign(comment, self._target.author, self._via)
        answer = await self._ask(
            "PATCH",
            f"/api/v2/flags/{self._target.project}/{key}",
            route="PATCH flag",
            flag=key,
            json={
                "environmentKey": self._target.environment,
                "comment": comment,
                "instructions": list(instructions),
            },
            content_type=SEMANTIC_PATCH,
        )
        return self._known(self._flag(answer))

    async def audit(self, key: str, *, limit: int = 20) -> tuple[AuditEntry, ...]:
        """The newest changes of one flag, newest first."""
        target = self._target
        spec = f"proj/{target.project}:env/{target.environment}:flag/{key}"
        path = f"/api/v2/auditlog?spec={spec}&limit={limit}"
        items = self._parse(AuditLog, await self._ask("GET", path, route="GET auditlog")).items
        return tuple(map(signature.read, items)) if target.signatures else items

    async def custom_events(self, key: str, *, after: int) -> tuple[CustomEvents, ...]:
        """Custom events by variation of one flag, since the minute of `after` (Unix milliseconds).

        Only our own flag server counts them. Raises FlagNotFound.
        """
        target = self._target
        path = f"/api/v2/projects/{target.project}/flags/{key}/environments/{target.environment}"
        answer = await self._ask(
            "GET", f"{path}/custom-events?after={after}", route="GET custom-events", flag=key
        )
        return self._parse(CustomEventList, answer).items

    async def environment(self) -> Environment:
        """The environment. Raises InvalidInput that says whether it or the project is missing."""
        project = f"/api/v2/projects/{self._target.project}"
        answer = await self._ask("GET", project, route="GET project", accepted=(404,))
        if answer.status_code == 404:
            raise errors.no_project(self._target)
        path = f"{project}/environments/{self._target.environment}"
        answer = await self._ask("GET", path, route="GET environment", accepted=(404,))
        if answer.status_code == 404:
            raise errors.no_environment(self._target)
        return self._parse(Environment, answer)

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

    def _flag(self, answer: httpx.Response) -> Flag:
        return self._mine(self._parse(Flag, answer))

    def _mine(self, flag: Flag) -> Flag:
        """With our environment alone; answers to changes tell all of them."""
        name = self._target.environment
        if name not in flag.environments:
            raise errors.no_environment(self._target)
        return flag.model_copy(update={"environments": {name: flag.environments[name]}})

    def _known(self, flag: Flag) -> Flag:
        """What a change answered is newer than any list."""
        if self._listed_at:
            self._listed[flag.key] = flag
        return flag

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        route: str,
        flag: str | None = None,
        json: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accepted: tuple[int, ...] = (),
        longest: float | None = None,
    ) -> httpx.Response:
        """The answer, when it is a success or one of `accepted`.

        `longest`: seconds to wait at most where the rate is limited. Raises MigratorError.
        """
        longest = self._policy.total if longest is None else longest
        await self._wait_turn(route, longest)
        headers = {"Content-Type": content_type} if json is not None else {}
        attempt, waited = 0, 0.0
        failure: MigratorError
        while True:
            attempt += 1
            try:
                answer = await self._http.request(method, path, json=json, headers=headers)
            except httpx.TransportError as error:
                outcome = Outcome(status=None, headers={})
                failure = errors.unavailable(self._target, str(error) or type(error).__name__)
            else:
                status = answer.status_code
                if answer.is_success or status in accepted:
                    return answer
                outcome = Outcome(
                    status=status, headers=answer.headers, repeatable_conflict=method == "PATCH"
                )
                if status == RATE_LIMITED:
                    asked = min(asked_wait(answer.headers, time.time()) or 0.0, _LONGEST_REFUSAL)
                    self._not_before[route] = time.monotonic() + asked
                    failure = errors.rate_limited(self._target, asked)
                    if asked > longest:
                        raise failure
                else:
                    failure = errors.refused(
                        self._target, method, path, status, _message(answer), flag=flag
                    )
            wait = next_wait(
                self._policy,
                outcome,
                attempt=attempt,
                waited=waited,
                now=time.time(),
                jitter=random.random(),  # noqa: S311 - spreads load, hides nothing
            )
            if wait is None:
                raise failure
            if outcome.status == RATE_LIMITED and wait >= 1:
                logger.warning("%s; trying again in %.0f s", failure, wait)
            waited += wait
            await asyncio.sleep(wait)

    async def _wait_turn(self, route: str, longest: float) -> None:
        """Not ask before the time that the server named at the last refusal."""
        left = self._not_before.get(route, 0.0) - time.monotonic()
        if left <= 0:
            return
        if left > longest:
            raise errors.rate_limited(self._target, left)
        await asyncio.sleep(left)

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


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase
