"""What a step asks of others before it ends: its command and its webhook, off the tick.

A thin shell around processes and HTTP. The loop tells it at each look which step of a capability is
in force; what belongs to no such step any more is stopped. Results are read at a later look;
nothing here decides.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import httpx

from migrator.plan.model import Command, Step, Webhook
from migrator.rollout.observation import Ended
from migrator.rollout.state import Rollout
from migrator.rollout.transitions import Phase

ASK_AGAIN: Final = 15.0
"""Seconds after an answer of a webhook that was no 2xx."""
GRACE: Final = 5.0
"""Seconds between SIGTERM and SIGKILL for a command that is stopped."""
_HIDDEN: Final = "LAUNCHDARKLY_"
"""The controller's keys and tokens are not for commands."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    """`problem`: None until there is a result; empty for success."""

    entry: int
    problem: str | None = None
    task: asyncio.Task[None] | None = None


class StepHooks:
    """Commands and webhooks of all capabilities, one of each at a time for each capability."""

    def __init__(self, migration: str, *, ask_again: float = ASK_AGAIN) -> None:
        self._migration = migration
        self._ask_again = ask_again
        self._commands: dict[str, _Job] = {}
        self._webhooks: dict[str, _Job] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    def ended(self, rollout: Rollout) -> Ended | None:
        """What came of the command of the step in force; None: it runs, or there is none."""
        problem = _result(self._commands, rollout)
        return None if problem is None else Ended(entry=rollout.entry, problem=problem)

    def answer(self, rollout: Rollout) -> str | None:
        """What the webhook of the step in force said last: empty if it opens the gate."""
        return _result(self._webhooks, rollout)

    def follow(self, rollout: Rollout, topic: str | None) -> None:
        """Start what the step in force needs, stop the rest. `topic`: of its closed gate."""
        name = rollout.capability
        at_step = rollout.phase in (Phase.HOLDING, Phase.WAITING)
        step = rollout.shown if at_step else None
        wanted: Callable[[_Job], Coroutine[Any, Any, None]] | None = None
        if step and step.before_leaving and rollout.applied and rollout.command is None:
            command = step.before_leaving
            wanted = lambda job: self._run(job, command, rollout, step)  # noqa: E731
        self._keep(self._commands, name, rollout.entry, wanted)
        wanted = None
        # Asked last, and again when another gate was closed in between: no answer of yesterday.
        if step and step.webhook and topic in ("webhook", "approval"):
            webhook = step.webhook
            wanted = lambda job: self._ask(job, webhook, rollout, step)  # noqa: E731
        self._keep(self._webhooks, name, rollout.entry, wanted)

    async def close(self) -> None:
        """Stop everything that runs."""
        for jobs in (self._commands, self._webhooks):
            for name in list(jobs):
                self._keep(jobs, name, 0, None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3 * GRACE):
                while self._stopping:
                    await asyncio.wait(self._stopping)

    def _keep(
        self,
        jobs: dict[str, _Job],
        name: str,
        entry: int,
        start: Callable[[_Job], Coroutine[Any, Any, None]] | None,
    ) -> None:
        job = jobs.get(name)
        if job is not None and (start is None or job.entry != entry):
            del jobs[name]
            if job.task is not None and not job.task.done():
                self._finish(job.task).cancel()
            job = None
        if job is None and start is not None:
            job = jobs[name] = _Job(entry)
            job.task = asyncio.create_task(start(job))

    async def _run(self, job: _Job, command: Command, rollout: Rollout, step: Step) -> None:
        logger.info("rollout.command.started capability=%s", rollout.capability)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(_HIDDEN)}
        facts = self._facts(rollout, step)
        environment |= {f"MIGRATOR_{name.upper()}": str(value) for name, value in facts.items()}
        try:
            process = await asyncio.create_subprocess_exec(
                *command.command,
                stdin=asyncio.subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            job.problem = f"cannot be run: {error}"
            return
        try:
            async with asyncio.timeout(command.timeout):
                code = await process.wait()
            problem = f"ended with code {code}" if code else ""
        except TimeoutError:
            problem = f"did not end within {command.timeout:g} s"
        finally:
            # In a task of its own: a second cancellation must not leave the command alone.
            await asyncio.shield(self._finish(asyncio.create_task(_stop(process))))
        job.problem = problem
        logger.info("rollout.command.ended capability=%s %s", rollout.capability, problem or "ok")

    def _finish(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """Have `close` wait for `task`."""
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
        return task

    async def _ask(self, job: _Job, webhook: Webhook, rollout: Rollout, step: Step) -> None:
        while job.problem != "":
            try:
                async with (
                    asyncio.timeout(webhook.timeout),
                    httpx.AsyncClient(timeout=webhook.timeout, trust_env=False) as http,
                    http.stream("POST", webhook.url, json=self._facts(rollout, step)) as answer,
                ):
                    job.problem = "" if answer.is_success else f"it said {answer.status_code}"
            except TimeoutError:
                job.problem = f"no answer within {webhook.timeout:g} s"
            except httpx.HTTPError as error:
                job.problem = f"no answer: {str(error) or type(error).__name__}"
            if job.problem:
                await asyncio.sleep(self._ask_again)

    def _facts(self, rollout: Rollout, step: Step) -> dict[str, Any]:
        return {
            "migration": self._migration,
            "capability": rollout.capability,
            "stage": str(step.stage),
            "share": step.share / 1000,
            "step": rollout.step + 1,
            "steps": len(rollout.steps),
            "entry": rollout.entry,
        }


def _result(jobs: dict[str, _Job], rollout: Rollout) -> str | None:
    job = jobs.get(rollout.capability)
    return job.problem if job is not None and job.entry == rollout.entry else None


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the command and what it started, the polite way first. One that ended is left alone:
    its process group may be somebody else's by now."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await process.wait()
