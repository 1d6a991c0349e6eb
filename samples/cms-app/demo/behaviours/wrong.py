"""A service that answers with wrong data and status 200: stopped in `shadow`, where users are still
answered by the monolith."""

import httpx

from cms.load.expected import Expected
from demo.behaviours.checks import asked, numbers
from demo.behaviours.plans import LOOSE, SCHEDULE
from demo.behaviours.trial import Scene, Trial

SHARE = 0.3
"""Of the service's answers."""
LIMITS = {**LOOSE, "parity": {"min": "99%", "min_compared": 100}}
PERSON = "user-001"
TRIES = 50
"""None of fifty answers is wrong once in 50 million times."""
EVIDENCE = r"parity: (\d+)/(\d+) = .* of the reads agree.*; limit 99%; most often body"


def play(trial: Trial) -> None:
    with trial.scene({"accounts": {"schedule": SCHEDULE, "analysis": LIMITS}}) as scene:
        scene.faults("user-management", {"wrong_answers": SHARE})
        problem = _wrong_answer(scene)
        back = scene.wait("accounts", "rolled_back")
        scene.wait("accounts", "flag_applied", after=back["seq"])
        on = scene.system.flag("accounts")["on"]
        requests = asked(scene.system.cells(), "accounts")
        scene.finish()
    trial.check(
        "the service's answers with status 200 are what users must not see",
        bool(problem),
        problem or "none was wrong",
    )
    figures = numbers(EVIDENCE, back["why"])
    trial.check(
        "rolled back, with the answers that agree as evidence",
        len(figures) == 2 and figures[0] / figures[1] < 0.99,
        back["why"],
    )
    trial.check(
        "stopped in shadow",
        scene.steps("accounts") == ["dualwrite 100%", "shadow 100%"],
        ", ".join(scene.steps("accounts")),
    )
    trial.check("no user was answered by the service", requests == 0, f"{requests} requests")
    trial.check("the flag is off", on is False)


def _wrong_answer(scene: Scene) -> str:
    """What the load generator says of a wrong answer, asked for where users cannot come; so it
    would have noticed one that came to a user."""
    expected = Expected()
    with httpx.Client(base_url=scene.system.service("user-management"), trust_env=False) as http:
        for _ in range(TRIES):
            answer = http.get(f"/api/users/{PERSON}").raise_for_status()
            if problem := expected.user(PERSON, answer.json()):
                return problem
    return ""
