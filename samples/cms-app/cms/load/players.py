"""The crowd: who does what next. All choices come from the seed."""

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Self

import httpx

from cms.kit.identity import USER
from cms.load.browser import Browser, Problem
from cms.load.expected import Expected, corrected
from cms.load.ledger import LATE, Ledger, Write
from cms.seed import ARTICLES, DRAFT_EVERY, PASSWORD, PICTURES, USERS, picture

READERS = 40
"""Of whom half are signed in."""
EDITORS = 12
CLIENTS = 12
MAX_RUNNING = 200
"""Actions at the same time; more are not begun: the load is bounded, whatever is slow."""

PNG = b"\x89PNG\r\n\x1a\n"

Action = Callable[[Browser, random.Random], Coroutine[None, None, None]]


class Crowd:
    """Use as an async context manager."""

    def __init__(self, target: str, seed: int, ledger: Ledger) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - the same load every time
        self._ledger = ledger
        self._expected = Expected()
        self.awake = asyncio.Event()
        """Cleared: nobody begins anything."""
        self.awake.set()
        self._published: list[tuple[float, str]] = []
        """Articles of this run: when and which."""
        people = iter(range(USERS))
        # One for all: each would read the root certificates anew, which takes seconds in all.
        tls = httpx.create_ssl_context()

        def browsers(count: int, *, known: bool, api: bool = False) -> list[Browser]:
            return [
                Browser(target, f"user-{next(people):03}" if known else None, ledger, tls, api=api)
                for _ in range(count)
            ]

        self.readers = browsers(READERS // 2, known=True) + browsers(READERS // 2, known=False)
        self.editors = browsers(EDITORS, known=True)
        self.clients = browsers(CLIENTS, known=True, api=True)
        self._actions: list[tuple[float, list[Browser], Action]] = [
            (12, self.readers[READERS // 2 :], self._visit),
            (10, self.readers, self._front_page),
            (24, self.readers, self._article),
            (8, self.readers, self._thumbnail),
            (9, self.readers, self._search),
            (5, self.readers[: READERS // 2], self._comment),
            (3, self.readers[: READERS // 2], self._profile),
            (5, self.editors, self._write),
            (3, self.editors, self._upload),
            (6, self.clients, self._list),
            (6, self.clients, self._api_search),
            (4, self.clients, self._api_user),
            (3, self.clients, self._api_edit),
        ]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(browser.close() for browser in self._everybody()))

    def browser(self, user: str) -> Browser:
        """The browser of a known person."""
        return next(browser for browser in self._everybody() if browser.user == user)

    async def play(self, rate: float, duration: float, stop: asyncio.Event) -> None:
        """Begin `rate` actions a second, come what may, for `duration` seconds or until `stop`."""
        began, end = time.monotonic(), time.monotonic() + duration
        running: set[asyncio.Task[None]] = set()
        busy: set[Browser] = set()
        number = 0
        while not stop.is_set() and time.monotonic() < end:
            weights = [weight for weight, _, _ in self._actions]
            _, people, action = self._dice.choices(self._actions, weights)[0]
            person = self._dice.choice(people)
            dice = random.Random(self._dice.random())  # noqa: S311 - as above
            # One person does one thing at a time.
            if len(running) < MAX_RUNNING and person not in busy:
                busy.add(person)
                task = asyncio.create_task(action(person, dice))
                running.add(task)
                task.add_done_callback(running.discard)
                task.add_done_callback(partial(_leave, busy, person))
            number += 1
            if not self.awake.is_set():
                began += await self._sleep(stop)
            late = began + number / rate - time.monotonic()
            if late > 0:
                try:
                    await asyncio.wait_for(stop.wait(), late)
                except TimeoutError:
                    continue
        if running:
            await asyncio.wait(running)
        for task in running:
            task.result()

    async def _sleep(self, stop: asyncio.Event) -> float:
        """Until somebody wakes the crowd or stops it; seconds."""
        fell_asleep = time.monotonic()
        ends = [asyncio.create_task(each.wait()) for each in (self.awake, stop)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        return time.monotonic() - fell_asleep

    def _everybody(self) -> list[Browser]:
        return [*self.readers, *self.editors, *self.clients]

    async def _sign_in(self, person: Browser) -> bool:
        """True if this person is signed in now."""
        if person.user is not None and not person.signed_in:
            # Like everybody here, this person has been on this site before: the cookie says who.
            headers = {"Cookie": f"{USER}={person.user}"}
            answer = await person.ask(
                "GET",
                f"/api/users/{person.user}",
                headers=headers,
                problem=self._user(person.user),
            )
            if answer is None:
                return False
            body = {"name": answer.json()["name"], "password": PASSWORD}
            user = person.user
            answer = await person.ask(
                "POST",
                "/api/session",
                json=body,
                headers=headers,
                problem=lambda answer: self._expected.user(user, answer.json()["user"]),
            )
            person.signed_in = answer is not None
        return person.signed_in

    def _some_article(self, dice: random.Random) -> str:
        numbers = [n for n in range(ARTICLES) if n % DRAFT_EVERY]
        # Some articles are read by everybody.
        return f"seed-article-{numbers[int(len(numbers) * dice.random() ** 2)]:03}"

    async def _visit(self, person: Browser, dice: random.Random) -> None:
        """Somebody who was never here before looks around: at every share some of them are on the
        new side."""
        person.forget()
        await person.ask("GET", "/", problem=self._links)
        article = self._some_article(dice)
        await person.ask("GET", f"/articles/{article}", problem=self._page(article))
        await person.ask(
            "GET",
            f"/api/articles/{article}/comments",
            problem=lambda answer: self._expected.comments(article, answer.json()),
        )
        user = f"user-{dice.randrange(USERS):03}"
        await person.ask("GET", f"/api/users/{user}", problem=self._user(user))
        await person.ask("GET", "/search", params={"q": "garden"}, problem=self._links)

    async def _front_page(self, person: Browser, dice: random.Random) -> None:
        page = {"page": dice.randint(1, 5)}
        await person.ask("GET", "/", params=page, problem=self._links)

    async def _article(self, person: Browser, dice: random.Random) -> None:
        if self._published and dice.random() < 0.2:
            at, article = dice.choice(self._published)
            fresh = time.time() - at < LATE
        else:
            article, fresh = self._some_article(dice), False
        problem = self._page(article)
        await person.ask("GET", f"/articles/{article}", stale_ok=fresh, problem=problem)

    async def _thumbnail(self, person: Browser, dice: random.Random) -> None:
        number = dice.randrange(PICTURES)
        path = f"/media/seed-picture-{number:03}/thumbnail"
        await person.ask("GET", path, problem=_no_picture)

    async def _search(self, person: Browser, dice: random.Random) -> None:
        query = {"q": dice.choice(["harbour", "tram", "schoo"])}
        await person.ask("GET", "/search", params=query, problem=self._links)

    async def _comment(self, person: Browser, dice: random.Random) -> None:
        if not await self._sign_in(person):
            return
        text = f"Seen by {person.user}, {dice.randrange(10**9)}."
        path = f"/api/articles/{self._some_article(dice)}/comments"
        answer = await person.ask(
            "POST", path, json={"text": text}, expect=(201,), problem=_says({"text": text})
        )
        if answer is not None:
            self._keep("comment", person, f"/api/comments/{answer.json()['id']}", "text", text)

    async def _profile(self, person: Browser, dice: random.Random) -> None:
        if person.user is not None and await self._sign_in(person):
            await person.ask("GET", "/api/profile", problem=self._user(person.user))

    async def _write(self, person: Browser, dice: random.Random) -> None:
        """Draft, save again, publish, and look at it."""
        if not await self._sign_in(person):
            return
        body = {"title": f"News {dice.randrange(10**9)}", "body": "First.", "tags": ["news"]}
        answer = await person.ask(
            "POST", "/api/articles", json=body, expect=(201,), problem=_says(body)
        )
        if answer is None:
            return
        article = answer.json()
        self._keep_revision(person, article)
        path = f"/api/articles/{article['id']}"
        body["body"] = f"Second, {dice.randrange(10**9)}."
        answer = await person.ask("PUT", path, json=body, problem=_says(body))
        if answer is not None:
            self._keep_revision(person, answer.json())
        if await person.ask("POST", f"{path}/publish") is not None:
            self._published.append((time.time(), article["id"]))
            self._keep("publication", person, path, "state", "published")
            problem = self._page(article["id"])
            await person.ask("GET", f"/articles/{article['id']}", stale_ok=True, problem=problem)

    async def _upload(self, person: Browser, dice: random.Random) -> None:
        if not await self._sign_in(person):
            return
        content = picture(dice.randrange(10**6), 40, 30)
        answer = await person.ask(
            "POST",
            "/api/media",
            params={"name": "view.png"},
            content=content,
            headers={"Content-Type": "image/png"},
            expect=(201,),
        )
        if answer is not None:
            digest = hashlib.sha256(content).hexdigest()
            self._keep("picture", person, f"/api/media/{answer.json()['id']}", "sha256", digest)

    async def _list(self, person: Browser, dice: random.Random) -> None:
        await person.ask(
            "GET",
            "/api/articles",
            params={"page": dice.randint(1, 10)},
            problem=lambda answer: self._expected.titles(answer.json()["articles"]),
        )

    async def _api_search(self, person: Browser, dice: random.Random) -> None:
        await person.ask(
            "GET",
            "/api/search",
            params={"q": dice.choice(["bridge", "council"])},
            problem=lambda answer: self._expected.titles(answer.json()["results"]),
        )

    async def _api_user(self, person: Browser, dice: random.Random) -> None:
        user = f"user-{dice.randrange(USERS):03}"
        await person.ask("GET", f"/api/users/{user}", problem=self._user(user))

    async def _api_edit(self, person: Browser, dice: random.Random) -> None:
        """A new revision of one of the client's own seeded articles, and its revisions."""
        if person.user is None or not await self._sign_in(person):
            return
        number = int(person.user[-3:]) + USERS * dice.randrange(ARTICLES // USERS)
        body = {"title": corrected(number), "body": f"Number {dice.randrange(10**9)}."}
        path = f"/api/articles/seed-article-{number:03}"
        answer = await person.ask("PUT", path, json=body, problem=_says(body))
        if answer is not None:
            self._keep_revision(person, answer.json())

    def _user(self, id: str) -> Problem:
        return lambda answer: self._expected.user(id, answer.json())

    def _page(self, article: str) -> Problem:
        return lambda answer: self._expected.article(article, answer.text)

    def _links(self, answer: httpx.Response) -> str:
        return self._expected.links(answer.text)

    def _keep_revision(self, person: Browser, article: dict[str, str]) -> None:
        path = f"/api/articles/{article['id']}/revisions/{article['revision']}"
        self._keep("revision", person, path, "body", article["body"])

    def _keep(self, what: str, person: Browser, path: str, field: str, value: str) -> None:
        if person.user is not None:
            self._ledger.writes.append(Write(what, person.user, path, field, value))


def _says(body: dict[str, Any]) -> Problem:
    """The answer repeats what was written."""

    def problem(answer: httpx.Response) -> str:
        said = answer.json()
        return next((f"{k} is {said.get(k)!r}" for k, v in body.items() if said.get(k) != v), "")

    return problem


def _no_picture(answer: httpx.Response) -> str:
    return "" if answer.content.startswith(PNG) else "this is no PNG"


def _leave(busy: set[Browser], person: Browser, _: asyncio.Task[None]) -> None:
    busy.discard(person)
