"""People in control: the same user on the same side, toggles by every way in, kill and restore."""

import base64
import json
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from running import Running, running_sample, sample_plan, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180), pytest.mark.xdist_group("control")]

USERS = [f"user-{number:03}" for number in range(40)]
SEMANTIC_PATCH = "application/json; domain-model=launchdarkly.semanticpatch"
HALF = [
    {"stage": "live", "share": "50%", "hold": "0s", "approval": True},
    {"stage": "live", "hold": "0s", "approval": True},
    {"stage": "complete", "hold": "0s", "approval": True},
]


def half_way(document: dict[str, Any]) -> None:
    for capability in document["spec"]["capabilities"].values():
        capability["schedule"] = HALF


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The sample with half of all users at `live`, for as long as nobody promotes."""
    folder = tmp_path_factory.mktemp("control")
    with running_sample(folder, sample_plan(folder, half_way)) as running:
        yield running


def decision(answer: httpx.Response) -> dict[str, str]:
    """The parts of X-Migrator-Decision."""
    pairs = (part.partition("=") for part in answer.headers["x-migrator-decision"].split("; "))
    return {name: value for name, _, value in pairs}


def ask(running: Running, user: str, path: str) -> httpx.Response:
    """One request on a connection of its own, so that either worker may get it."""
    answer = httpx.get(
        f"{running.address('proxy')}{path}", headers={"x-user": user}, trust_env=False
    )
    assert answer.status_code == 200, answer.text
    return answer


def shows_half(running: Running, capability: str, path: str) -> bool:
    del capability
    return {decision(ask(running, user, path))["stage"] for user in USERS} == {"off", "live"}


def test_a_user_stays_on_one_side(running: Running) -> None:
    article, picture = "/api/articles/seed-article-001", "/media/seed-picture-001"
    wait_for(lambda: shows_half(running, "publishing", article), "half of the users at live")
    services = running.services()
    for user in USERS:
        answers = [ask(running, user, path) for path in (article, picture) for _ in range(3)]
        stages = {decision(answer)["stage"] for answer in answers}
        assert len(stages) == 1, f"{user} saw {stages}"
        stage = stages.pop()
        expected = {"articles", "media"} if stage == "live" else {"monolith"}
        assert {answer.headers["x-cms-origin"] for answer in answers} == expected
        context = json.dumps({"kind": "user", "key": user}).encode()
        header = base64.urlsafe_b64encode(context).rstrip(b"=").decode()
        for service in ("articles", "media"):
            # What the service's own SDK says about this user, whoever was asked above.
            own = httpx.get(
                f"{services[service]}{article if service == 'articles' else picture}",
                headers={"X-Migrator-Context": header},
                trust_env=False,
            )
            assert own.headers["x-cms-stage"] == f"publishing={stage}"


def by_command_line(running: Running, on: bool) -> None:
    running.cli("restore" if on else "kill", "search", "--reason", "drill")


def by_rest(running: Running, on: bool) -> None:
    kind = "turnFlagOn" if on else "turnFlagOff"
    httpx.patch(
        f"{running.address('flags')}/api/v2/flags/cms/search",
        headers={"Authorization": running.token(), "Content-Type": SEMANTIC_PATCH},
        json={"environmentKey": "production", "instructions": [{"kind": kind}]},
        trust_env=False,
    ).raise_for_status()


def by_dashboard(running: Running, on: bool) -> None:
    with httpx.Client(
        base_url=running.address("flags"), follow_redirects=True, trust_env=False
    ) as browser:
        page = browser.post("/login", data={"token": running.token()}).raise_for_status()
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert csrf is not None
        form = {"csrf": csrf[1], "to": "on" if on else "off"}
        path = "/p/cms/production/flags/search/change/switch"
        browser.post(path, data=form).raise_for_status()


@pytest.mark.parametrize(
    ("toggle", "way"),
    [
        pytest.param(by_dashboard, "in the dashboard", id="dashboard"),
        pytest.param(by_rest, "through the API", id="rest"),
        pytest.param(by_command_line, "with the command line", id="cli"),
    ],
)
def test_a_toggle_pauses_the_rollout_and_says_who(
    running: Running, toggle: Callable[[Running, bool], None], way: str
) -> None:
    path = "/api/search?q=harbour"
    wait_for(lambda: shows_half(running, "search", path), "half of the users at live")

    toggle(running, False)
    paused = running.wait_phase("search", "paused")
    assert running.member() in paused["reason"]
    assert f"turned search off {way}" in paused["reason"]
    assert paused["stage"] == "off"
    for user in USERS:
        answer = ask(running, user, path)
        assert (decision(answer)["stage"], answer.headers["x-cms-origin"]) == ("off", "monolith")

    toggle(running, True)
    wait_for(
        lambda: f"turned search on {way}" in running.capability("search")["reason"],
        "the second toggle to be seen",
    )
    assert running.capability("search")["phase"] == "paused", "a person's toggle does not resume"
    running.cli("resume", "search")
    resumed = running.wait_phase("search", "waiting")
    assert (resumed["stage"], resumed["share"]) == ("live", 50_000)


def test_kill_needs_no_controller(running: Running) -> None:
    controller = running.processes()["controller"]
    controller.send_signal(signal.SIGSTOP)
    try:
        killed = running.cli("kill", "service/comments", "--reason", "drill").stdout
        assert "service comments is switched off" in killed
        path = "/api/articles/seed-article-001/comments"
        wait_for(
            lambda: {decision(ask(running, u, path))["stage"] for u in USERS} == {"off"},
            "everybody at the monolith",
        )
    finally:
        controller.send_signal(signal.SIGCONT)
    paused = running.wait_phase("discussion", "paused")
    assert "comments-service is off" in paused["reason"]
    refused = running.cli("resume", "discussion", code=1)
    assert "comments-service is off" in refused.stderr
    running.cli("restore", "service/comments")
    wait_for(
        lambda: "on again" in running.capability("discussion")["reason"], "the service to be back"
    )
    running.cli("resume", "discussion")
    running.wait_phase("discussion", "waiting")


def test_verbs(running: Running) -> None:
    running.wait_phase("accounts", "waiting")
    running.cli("pause", "accounts", "--reason", "lunch")
    assert "lunch" in running.wait_phase("accounts", "paused")["reason"]
    running.cli("resume", "accounts")
    running.wait_phase("accounts", "waiting")
    running.cli("promote", "accounts")
    wait_for(lambda: running.capability("accounts")["share"] == 100_000, "the next step")
    running.cli("abort", "accounts")
    assert running.wait_phase("accounts", "aborted")["stage"] == "off"
    assert "possible now" in running.cli("promote", "accounts", code=1).stderr


def test_the_rollout_survives_the_controller(running: Running) -> None:
    before = without_figures(running.status())
    old = running.processes()["controller"]
    old.kill()

    def back() -> Mapping[str, Any] | None:
        process = running.processes().get("controller")
        if process is None or process.pid == old.pid:
            return None
        done = running.try_status()
        # The first look after a start has not seen the flags yet.
        return done if done and not done["problems"] else None

    assert without_figures(wait_for(back, "the controller to be back")) == before


def test_what_a_request_did_is_seen(running: Running) -> None:
    """By capability, stage and origin, with latencies."""

    def cohorts() -> dict[tuple[str, str], dict[str, Any]]:
        known = {each["name"]: each["cohorts"] for each in running.status()["capabilities"]}
        return {(each["stage"], each["origin"]): each for each in known["search"]}

    path = "/search?q=paper"
    wait_for(lambda: shows_half(running, "search", path), "half of the users at live")
    sides = [("off", "old"), ("live", "new")]
    wait_for(lambda: set(sides) <= set(cohorts()), "both sides to be seen")
    before, stages = cohorts(), Counter(decision(ask(running, u, path))["stage"] for u in USERS)

    def counted() -> bool:
        now = cohorts()
        return all(
            now[side]["requests"] >= before[side]["requests"] + stages[side[0]] for side in sides
        )

    wait_for(counted, "the requests to be counted")
    for side in sides:
        assert cohorts()[side]["error_rate"] == 0
        assert 0 < cohorts()[side]["p50_ms"] <= cohorts()[side]["p99_ms"]


def without_figures(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    hidden = ("origins", "cohorts", "consistency", "hold_until", "reason")
    return [{k: v for k, v in each.items() if k not in hidden} for each in status["capabilities"]]


def test_statuses_for_people_and_scripts(running: Running, tmp_path: Path) -> None:
    shown = running.cli("status").stdout
    assert all(name in shown for name in ("accounts", "publishing", "discussion", "search"))
    assert "\x1b" not in shown, "colour is for terminals"
    told = json.loads(running.cli("status", "--json").stdout)
    assert (told["migration"], without_figures(told)) == ("cms", without_figures(running.status()))
    assert "articles is ready" not in running.cli("logs", "proxy").stdout
    other = tmp_path / "other"
    assert "nothing was started" in running.cli_at(other, "status", code=1).stderr
