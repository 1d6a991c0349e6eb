"""`server: launchdarkly`: the whole system on somebody else's flag server, by address and key."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from flag_server import ACCESS_TOKEN, ALICE_TOKEN, READER_TOKEN, SDK_KEY, Account, account
from running import MIGRATOR, Running, start, tiny_plan, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

BY_HAND = [
    {"stage": "dualwrite", "hold": "0s", "approval": True},
    {"stage": "live", "hold": "0s", "approval": True},
]
VARIABLES = ("LAUNCHDARKLY_SDK_KEY", "LAUNCHDARKLY_ACCESS_TOKEN")


@pytest.fixture
def launchdarkly(tmp_path: Path) -> Iterator[Account]:
    (tmp_path / "launchdarkly").mkdir()
    with account(tmp_path / "launchdarkly") as there:
        yield there


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """For tests that are refused before they change anything."""
    with account(tmp_path_factory.mktemp("untouched")) as there:
        yield there


def variables(**changes: str | None) -> dict[str, str]:
    """The test's environment with LaunchDarkly's variables, after `changes`; None: not set."""
    given: dict[str, str | None] = {**dict(zip(VARIABLES, (SDK_KEY, ACCESS_TOKEN), strict=True))}
    given |= changes
    others = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return others | {name: value for name, value in given.items() if value is not None}


def plan_of(folder: Path, there: Account, capability: str, **flags: str) -> Path:
    def change(document: dict[str, Any]) -> None:
        spec = document["spec"]
        spec["flags"] = there.plan | flags
        spec["proxy"]["expose_decision"] = True
        spec["capabilities"] = {capability: spec["capabilities"]["publishing"]}
        spec["capabilities"][capability]["schedule"] = BY_HAND

    return tiny_plan(folder, change)


def up(plan: Path, state: Path, given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A `migrator up` that is expected to end by itself."""
    return subprocess.run(
        [*MIGRATOR, "up", str(plan), "--state", str(state)],
        capture_output=True,
        text=True,
        timeout=60,
        env=given,
    )


def flag(there: Account, key: str) -> dict[str, Any]:
    """As the flag server behind the stand-in has it."""
    answer = httpx.get(
        f"{there.origin}/api/v2/flags/cms/{key}?env=production",
        headers={"Authorization": ALICE_TOKEN},
        trust_env=False,
    )
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def stage(running: Running) -> str:
    """What the proxy decides for somebody's article."""
    answer = httpx.get(f"{running.address('proxy')}/articles/1", trust_env=False)
    parts = answer.headers["x-migrator-decision"].split("; ")
    return dict(part.split("=", 1) for part in parts)["stage"]


def test_up_promote_kill_and_restore(tmp_path: Path, launchdarkly: Account) -> None:
    plan, state = plan_of(tmp_path, launchdarkly, "publishing"), tmp_path / "state"
    running = start(plan, state, variables())
    try:
        wait_for(lambda: running.has("all_ready"), "everything to be ready")
        made = flag(launchdarkly, "publishing")
        assert (made["kind"], made["_purpose"]) == ("multivariate", ""), "no migration flags there"
        stages = ["off", "dualwrite", "shadow", "live", "rampdown", "complete"]
        assert [variation["value"] for variation in made["variations"]] == stages

        running.wait_phase("publishing", "waiting")
        wait_for(lambda: stage(running) == "dualwrite", "the proxy to see the first step")
        running.cli("promote", "publishing")
        wait_for(lambda: stage(running) == "live", "the proxy to see the second step")

        running.cli("kill", "publishing", "--reason", "drill")
        wait_for(lambda: stage(running) == "off", "the proxy to see the switch-off")
        reason = running.wait_phase("publishing", "paused")["reason"]
        assert reason.endswith('turned publishing off with the command line ("drill")'), reason
        assert flag(launchdarkly, "publishing")["environments"]["production"]["on"] is False
        running.cli("restore", "publishing")
        wait_for(lambda: stage(running) == "live", "everybody back at the service")

        running.environment = variables(LAUNCHDARKLY_ACCESS_TOKEN=None)
        assert "publishing" in running.cli("status").stdout, "looking needs no variable"
        refused = running.cli("kill", "publishing", code=2).stderr
        assert "$LAUNCHDARKLY_ACCESS_TOKEN is not set" in refused
        running.environment = variables()
        running.cli("kill", "service/articles")
        wait_for(lambda: stage(running) == "off", "the service's switch-off to be seen")
        check_processes(running)
    finally:
        running.end()
    assert 409 in launchdarkly.stand_in.statuses("PATCH"), "a conflict was met and overcome"
    check_nothing_told(running)


def check_processes(running: Running) -> None:
    """No flag server runs, and everybody has what they need and no more."""
    environments = {name: each.environ() for name, each in running.processes().items()}
    assert environments.keys() == {"monolith", "articles", "proxy", "controller"}
    for name, environment in environments.items():
        keys = {variable for variable in VARIABLES if variable in environment}
        assert keys == {VARIABLES[name == "controller"]}, name


def check_nothing_told(running: Running) -> None:
    """No secret in any file or message."""
    told = [running.said(), str(running.events)]
    files = [path for path in running.state.rglob("*") if path.is_file()]
    told += [path.read_bytes().decode(errors="replace") for path in files]
    for secret in (SDK_KEY, ACCESS_TOKEN):
        assert not any(secret in text for text in told)
    assert not (running.state / "credentials.json").exists()
    assert not (running.state / "flags.db").exists()


@pytest.mark.parametrize(
    ("environment", "flags", "words"),
    [
        pytest.param(
            dict.fromkeys(VARIABLES),
            {},
            ("$LAUNCHDARKLY_SDK_KEY is not set", "$LAUNCHDARKLY_ACCESS_TOKEN is not set"),
            id="both-variables-missing",
        ),
        pytest.param(
            {"LAUNCHDARKLY_ACCESS_TOKEN": SDK_KEY},
            {},
            ("$LAUNCHDARKLY_ACCESS_TOKEN holds an SDK key", "expected an API access token"),
            id="swapped",
        ),
        pytest.param(
            {"LAUNCHDARKLY_ACCESS_TOKEN": "api-wrong-one-5511"},
            {},
            ("$LAUNCHDARKLY_ACCESS_TOKEN", "401", "revoked"),
            id="wrong-token",
        ),
        pytest.param(
            {"LAUNCHDARKLY_ACCESS_TOKEN": READER_TOKEN},
            {},
            ("403", "Writer role", "createFlag", "proj/cms:env/production:flag/*"),
            id="reader",
        ),
        pytest.param(
            {"LAUNCHDARKLY_SDK_KEY": "sdk-wrong-one-5511"},
            {},
            ("refuses the SDK key in $LAUNCHDARKLY_SDK_KEY", "'production'", "'cms'"),
            id="wrong-sdk-key",
        ),
        pytest.param({}, {"project": "cmz"}, ("no project 'cmz'", "key"), id="wrong-project"),
        pytest.param(
            {},
            {"environment": "prod"},
            ("project 'cms'", "no environment 'prod'", "key"),
            id="wrong-environment",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    tmp_path: Path,
    untouched: Account,
    environment: Mapping[str, str | None],
    flags: Mapping[str, str],
    words: tuple[str, ...],
) -> None:
    plan = plan_of(tmp_path, untouched, "unmade", **flags)
    given = variables(**environment)
    done = up(plan, tmp_path / "state", given)
    assert done.returncode == 2, done.stdout + done.stderr
    assert all(word in done.stderr for word in (*words, "hint:")), done.stderr
    assert "Traceback" not in done.stderr
    for secret in (given.get(name) for name in VARIABLES):
        assert secret is None or secret not in done.stdout + done.stderr
    assert not (tmp_path / "state" / "processes.json").exists()


def test_a_first_start_needs_launchdarkly(tmp_path: Path, untouched: Account) -> None:
    plan = plan_of(tmp_path, untouched, "unmade", api="http://127.0.0.1:1")
    done = up(plan, tmp_path / "state", variables())
    assert done.returncode == 1
    assert "LaunchDarkly at http://127.0.0.1:1 does not answer" in done.stderr
    assert "hint: look at spec.flags.api" in done.stderr
    assert not (tmp_path / "state" / "processes.json").exists()


def test_it_starts_again_while_launchdarkly_is_away(tmp_path: Path, launchdarkly: Account) -> None:
    """What ran before is not kept down by an outage of somebody else's."""
    plan, state = plan_of(tmp_path, launchdarkly, "away"), tmp_path / "state"
    running = start(plan, state, variables())
    try:
        wait_for(lambda: running.has("all_ready"), "everything to be ready")
        wait_for(lambda: stage(running) == "dualwrite", "the first step")
    finally:
        running.end()
    refuse = launchdarkly.stand_in.manners.refuse
    refuse.extend([(503, {})] * 1000)
    running = start(plan, state, variables())
    try:
        wait_for(lambda: running.has("all_ready"), "everything to be ready again")
        assert "warning: LaunchDarkly at" in running.said()
        assert stage(running) == "dualwrite"
    finally:
        refuse.clear()
        running.end()
