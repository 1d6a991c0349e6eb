"""The REST API as tests use it: one project, and what it says before and after a request."""

import json
from typing import Any, Final

import httpx

SEMANTIC: Final = "application/json; domain-model=launchdarkly.semanticpatch"


class Api:
    """The REST API, for one project with the environments `production` and `staging`."""

    def __init__(self, http: httpx.Client, project: str) -> None:
        self.http = http
        """With the token of alice, an administrator."""
        self.project = project
        self.flags = f"/api/v2/flags/{project}"
        self.environments = f"/api/v2/projects/{project}/environments"
        self.segments = f"/api/v2/segments/{project}/production"

    def scheduled(self, flag: str, environment: str = "production") -> str:
        return (
            f"/api/v2/projects/{self.project}/flags/{flag}/environments/{environment}"
            "/scheduled-changes"
        )

    def ask(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """The answer, which must have `status`."""
        answer = self.http.request(method, path, **options)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def create(self, key: str, **fields: Any) -> dict[str, Any]:
        """A new flag: a boolean one that is off unless `fields` say otherwise."""
        body = {"key": key, "name": key, **fields}
        made: dict[str, Any] = self.ask("POST", self.flags, 201, json=body)
        return made

    def choice(self, key: str, *values: Any) -> dict[str, Any]:
        return self.create(key, variations=[{"value": value} for value in values])

    def migration(self, key: str, stages: int = 6) -> dict[str, Any]:
        return self.create(key, purpose="migration", migrationSettings={"stageCount": stages})

    def segment(self, key: str, **fields: Any) -> dict[str, Any]:
        body = {"key": key, "name": key, **fields}
        made: dict[str, Any] = self.ask("POST", self.segments, 201, json=body)
        return made

    def get(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"{self.flags}/{key}")
        return found

    def config(self, key: str, environment: str = "production") -> dict[str, Any]:
        found: dict[str, Any] = self.get(key)["environments"][environment]
        return found

    def patch(
        self, key: str, *instructions: Any, environment: str = "production", comment: str = ""
    ) -> dict[str, Any]:
        """The flag after a semantic patch."""
        body = semantic(*instructions, environment=environment, comment=comment)
        changed: dict[str, Any] = self.ask("PATCH", f"{self.flags}/{key}", **body)
        return changed

    def patch_segment(self, key: str, *instructions: Any) -> dict[str, Any]:
        body = semantic(*instructions)
        changed: dict[str, Any] = self.ask("PATCH", f"{self.segments}/{key}", **body)
        return changed

    def audit(self, query: str = "") -> list[dict[str, Any]]:
        """Newest first."""
        spec = "" if "spec=" in query else f"spec=proj/{self.project}&limit=1000&"
        items: list[dict[str, Any]] = self.ask("GET", f"/api/v2/auditlog?{spec}{query}")["items"]
        return items

    def everything(self) -> dict[str, Any]:
        """All that a request that is refused must leave as it was, with versions and audit log."""
        paths = [f"/api/v2/projects/{self.project}", self.flags, self.segments]
        flags = self.ask("GET", self.flags)["items"]
        paths += [self.scheduled(flag["key"]) for flag in flags]
        return {path: self.ask("GET", path) for path in paths} | {"audit": self.audit()}

    def refused(
        self,
        method: str,
        path: str,
        status: int,
        code: str,
        *,
        by: httpx.Client | None = None,
        **options: Any,
    ) -> str:
        """The message of an error in LaunchDarkly's shape, after which nothing is different."""
        before = self.everything()
        answer = (by or self.http).request(method, path, **options)
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"] == "application/json"
        body = answer.json()
        assert set(body) == {"code", "message"}
        assert body["code"] == code
        assert self.everything() == before
        message: str = body["message"]
        return message


def semantic(
    *instructions: Any, environment: str | None = None, comment: str = "", **headers: str
) -> dict[str, Any]:
    """What httpx needs to send a semantic patch."""
    body: dict[str, Any] = {"instructions": list(instructions)}
    body |= {"comment": comment} if comment else {}
    body |= {} if environment is None else {"environmentKey": environment}
    return {"content": json.dumps(body), "headers": {"Content-Type": SEMANTIC, **headers}}
