"""Whether evaluations agree with LaunchDarkly's own SDKs, for random flags, segments and contexts.

A pair is one flag and one context; it differs if the value, the variation or anything of the reason
does. The generator is that of the tests, tests/support/evaluation_worlds.py. The SDK for Python is
the specification and sees everything, however odd. The SDK for Node.js sees what its docstring
calls portable: JavaScript's numbers, regular expressions and dates are others, and in a few corners
the two SDKs differ from each other. npm installs it into .migrator/ the first time.
"""

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from ldclient.context import Context as SdkContext

from bench.flags.errors import BenchError
from bench.flags.part import EVERY, Say
from bench.results import Result
from flags.evaluation import Context, evaluate

ROOT: Final = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "support"))  # where pytest and mypy are told to look as well

from evaluation_worlds import FLAGS, World, worlds  # noqa: E402
from official_sdk import Answer, OfficialSdk, wire_data  # noqa: E402

PYTHON_PAIRS: Final = 100_000
NODE_PAIRS: Final = 10_000
CONTEXTS: Final = 12
"""Of each world; all its flags are evaluated for each of them."""
SEED: Final = 1
"""The same worlds in every run."""
SHOWN: Final = 3
"""Differences that are told about in full."""
NODE_SDK: Final = "@launchdarkly/node-server-sdk"
NODE_VERSION: Final = "9.13.7"
NODE_FOLDER: Final = ROOT / ".migrator" / f"node-server-sdk-{NODE_VERSION}"
PATIENCE: Final = 300
"""Seconds that npm, or all evaluations of Node.js, may take."""
NODE_SCRIPT: Final = """\
import { createInterface } from 'node:readline';
import { init } from '@launchdarkly/node-server-sdk';
import { TestData } from '@launchdarkly/node-server-sdk/integrations';

const quiet = { error() {}, warn() {}, info() {}, debug() {} };
for await (const line of createInterface({ input: process.stdin })) {
  const { flags, segments, contexts } = JSON.parse(line);
  const data = new TestData();
  for (const segment of Object.values(segments)) await data.usePreconfiguredSegment(segment);
  for (const flag of Object.values(flags)) await data.usePreconfiguredFlag(flag);
  const client = init('sdk-key', {
    updateProcessor: data.getFactory(),
    sendEvents: false,
    diagnosticOptOut: true,
    logger: quiet,
  });
  await client.waitForInitialization({ timeout: 10 });
  const answers = [];
  for (const context of contexts) {
    for (const key of Object.keys(flags)) {
      const { value, variationIndex, reason } = await client.variationDetail(key, context, null);
      answers.push([value, variationIndex ?? null, reason]);
    }
  }
  client.close();
  process.stdout.write(`${JSON.stringify(answers)}\\n`);
}
"""
"""Reads worlds, one a line, and answers each with its evaluations, contexts outermost."""


@dataclass(slots=True)
class Agreement:
    """What comparing with one SDK has shown."""

    sdk: str
    pairs: int = 0
    differences: int = 0
    shown: list[str] = field(default_factory=list)
    """The first differences, in full."""

    def count(self, world: World, key: str, context: object, ours: Answer, theirs: Answer) -> None:
        self.pairs += 1
        if ours == theirs:
            return
        self.differences += 1
        if len(self.shown) < SHOWN:
            data = json.dumps(wire_data(world.snapshot))
            self.shown.append(f"{key} for {context}\n  ours {ours}\n  theirs {theirs}\n  {data}")

    def __str__(self) -> str:
        return f"{self.pairs:,} pairs with {self.sdk}, {self.differences:,} differences"


def run(say: Say) -> tuple[Agreement, ...]:
    return with_python(PYTHON_PAIRS, say), with_node(NODE_PAIRS, say)


def measure(say: Say) -> list[Result]:
    """`run`, as a part of the benchmark."""
    agreements = run(say)
    for difference in (shown for agreement in agreements for shown in agreement.shown):
        say(difference)
    return [
        Result(
            name=f"evaluations that differ from {each.sdk}'s, of {each.pairs:,}",
            value=each.differences,
            unit="",
            goal=0,
        )
        for each in agreements
    ]


def with_python(pairs: int, say: Say) -> Agreement:
    agreement = Agreement(f"launchdarkly-server-sdk {version('launchdarkly-server-sdk')}")
    told = time.monotonic()

    def compare(world: World) -> None:
        nonlocal told
        official = OfficialSdk(world.snapshot)
        for document in world.contexts:
            context, theirs = Context.parse(document), SdkContext.from_dict(document)
            for key, flag in world.snapshot.flags.items():
                ours = Answer.of(evaluate(flag, context, world.snapshot))
                agreement.count(world, key, document, ours, official.evaluate(key, theirs))
        if time.monotonic() - told >= EVERY:
            say(f"{agreement} so far")
            told = time.monotonic()

    _each_world(pairs, compare, portable=False)
    say(str(agreement))
    return agreement


def with_node(pairs: int, say: Say) -> Agreement:
    agreement = Agreement(f"{NODE_SDK} {NODE_VERSION}")
    script = _installed_script(say)
    made: list[World] = []
    _each_world(pairs, made.append, portable=True)
    say(f"asking {NODE_SDK} about {len(made):,} worlds")
    for world, answers in zip(made, _node_answers(script, made), strict=True):
        theirs = iter(answers)
        for document in world.contexts:
            context = Context.parse(document)
            for key, flag in world.snapshot.flags.items():
                ours = replace(
                    Answer.of(evaluate(flag, context, world.snapshot)),
                    prerequisites=(),  # this SDK does not tell of those that are missing
                )
                agreement.count(world, key, document, ours, next(theirs))
    say(str(agreement))
    return agreement


def _each_world(pairs: int, visit: Callable[[World], None], *, portable: bool) -> None:
    """Enough worlds for that many pairs."""

    @seed(SEED)
    @settings(
        max_examples=-(-pairs // (len(FLAGS) * CONTEXTS)),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(worlds(portable=portable, contexts=CONTEXTS))
    def each(world: World) -> None:
        visit(world)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some regular expressions are meant to be odd
        each()


def _installed_script(say: Say) -> Path:
    script = NODE_FOLDER / "answer.mjs"
    if not (NODE_FOLDER / "node_modules" / NODE_SDK / "package.json").is_file():
        say(f"installing {NODE_SDK} {NODE_VERSION} into {NODE_FOLDER.relative_to(ROOT)}")
        NODE_FOLDER.mkdir(parents=True, exist_ok=True)
        package = {"private": True, "dependencies": {NODE_SDK: NODE_VERSION}}
        (NODE_FOLDER / "package.json").write_text(json.dumps(package))
        _run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"])
    script.write_text(NODE_SCRIPT)
    return script


def _node_answers(script: Path, asked: Sequence[World]) -> list[list[Answer]]:
    """For each world the answers for each context and flag, contexts outermost."""
    lines = [json.dumps({**wire_data(w.snapshot), "contexts": w.contexts}) for w in asked]
    answered = _run(["node", str(script)], "\n".join(lines)).splitlines()
    if len(answered) != len(asked):
        raise BenchError(f"node answered {len(answered)} of {len(asked)} worlds")
    return [
        [
            Answer(
                value=json.dumps(value, sort_keys=True),
                variation_index=index,
                reason=json.dumps(reason, sort_keys=True),
                prerequisites=(),
            )
            for value, index, reason in json.loads(line)
        ]
        for line in answered
    ]


def _run(command: Sequence[str], said: str = "") -> str:
    """What the command prints."""
    try:
        done = subprocess.run(
            command, cwd=NODE_FOLDER, input=said, capture_output=True, text=True, timeout=PATIENCE
        )
    except FileNotFoundError:
        raise BenchError(f"{command[0]} is missing; Node.js 20 or newer is needed") from None
    except subprocess.TimeoutExpired:
        raise BenchError(f"{command[0]} did not end within {PATIENCE} s") from None
    if done.returncode != 0:
        raise BenchError(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:].strip()}")
    return done.stdout
