"""What the CMS contains at its first start; the same on every machine."""

import hashlib
import random
import struct
import time
import zlib
from dataclasses import dataclass

from cms.kit.identity import hash_password
from cms.kit.store import Document, Store

USERS = 120
ARTICLES = 300
COMMENTS = 600
PICTURES = 8
PASSWORD = "reader"  # noqa: S105 - of the invented people, printed in the README
DRAFT_EVERY = 15

_FIRST = (
    "Ada Alan Barbara Dennis Donald Edsger Frances Grace Hedy Ida John Karen Ken Leslie Lynn "
    "Margaret Niklaus Radia Robin Shafi Sophie Tony Ursula Vint Whitfield Yukihiro"
).split()
_LAST = (
    "Archer Baker Carter Draper Fisher Gardner Hunter Mason Miller Porter Sawyer Smith Tanner "
    "Turner Weaver Wright Cooper Fletcher Glover Thatcher Wheeler Chandler"
).split()
_THINGS = (
    "harbour library market orchestra bakery ferry observatory garden workshop tram archive "
    "bridge school theatre cinema lighthouse station museum stadium kitchen"
).split()
_EVENTS = ["opens again", "turns a hundred", "asks for volunteers", "moves across the river"]
_EVENTS += ["gets a new roof", "stays open all night", "is looking for a name", "breaks a record"]
_SENTENCES = [
    "The {thing} has been part of the quarter for as long as anybody can remember.",
    "Neighbours met on Tuesday evening and agreed on more than they had expected.",
    "Work is to begin in spring and should be over before the first frost.",
    "The {thing} will stay open meanwhile, though not on every day of the week.",
    "Nobody knows who painted the sign, and nobody wants it replaced.",
    "A small exhibition in the {thing} shows drawings, letters and one very old bicycle.",
    "The council has put the figures on paper; they are lower than last year.",
    "Children from three schools have sent their ideas, some of them in rhyme.",
]
_REMARKS = [
    "I was there, and it was better than it sounds.",
    "Finally! I have been waiting for this for years.",
    "Who is going to pay for that?",
    "My grandmother used to work at the {thing}.",
    "Thank you for writing about it.",
    "Please correct the second paragraph: it was a Monday.",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is written into an empty store, pictures apart."""

    users: list[Document]
    articles: list[Document]
    comments: list[Document]


def contents(now: float) -> Contents:
    """The same every time, but for the times; `now` in Unix seconds."""
    dice = random.Random(20)  # noqa: S311 - the same contents every time
    # One hash for all: they share a password, and hashing is meant to be slow.
    hashed = hash_password(PASSWORD, b"the-daily-build!")
    users = [_user(number, dice, now, hashed) for number in range(USERS)]
    articles = [_article(number, users, dice, now) for number in range(ARTICLES)]
    comments = [_comment(number, users, articles, dice, now) for number in range(COMMENTS)]
    return Contents(users=users, articles=articles, comments=comments)


def fill(store: Store) -> None:
    """Write the contents into an empty store, in one transaction."""
    if store.count("user"):
        return
    now = time.time()
    made = contents(now)
    with store.transaction() as transaction:
        for user in made.users:
            transaction.put("user", user)
        for article in made.articles:
            transaction.put("article", article)
            transaction.put("revision", _first_revision(article))
        for comment in made.comments:
            transaction.put("comment", comment)
        for number in range(PICTURES):
            content = picture(number)
            sha256 = hashlib.sha256(content).hexdigest()
            transaction.blob(sha256, content)
            transaction.put(
                "media",
                {
                    "id": f"seed-picture-{number:03}",
                    "name": f"view-{number}.png",
                    "owner": made.users[number]["id"],
                    "sha256": sha256,
                    "type": "image/png",
                    "width": 320,
                    "height": 200,
                    "created": now - 3600,
                },
            )


def _user(number: int, dice: random.Random, now: float, hashed: str) -> Document:
    first, last = dice.choice(_FIRST), dice.choice(_LAST)
    return {
        "id": f"user-{number:03}",
        "name": f"{first.lower()}{number}",
        "display_name": f"{first} {last}",
        "bio": f"Writes about the {dice.choice(_THINGS)} and other places.",
        "password": hashed,
        "created": now - dice.randrange(10**7),
    }


def _article(number: int, users: list[Document], dice: random.Random, now: float) -> Document:
    thing = dice.choice(_THINGS)
    created = now - (ARTICLES - number) * 3600
    paragraphs = [
        " ".join(line.format(thing=thing) for line in dice.sample(_SENTENCES, 3)) for _ in range(4)
    ]
    # The author of article n is user n modulo the number of users: load generators rely on it.
    return {
        "id": f"seed-article-{number:03}",
        "author": users[number % USERS]["id"],
        "title": f"The {thing} {dice.choice(_EVENTS)}",
        "body": "\n\n".join(paragraphs),
        "tags": sorted({thing, dice.choice(["city", "culture", "people", "weather"])}),
        "state": "draft" if number % DRAFT_EVERY == 0 else "published",
        "created": created,
        "updated": created,
        "revision": f"seed-revision-{number:03}",
    }


def _first_revision(article: Document) -> Document:
    kept = ("title", "body", "author", "created")
    return {
        "id": article["revision"],
        "article": article["id"],
        **{name: article[name] for name in kept},
    }


def _comment(
    number: int,
    users: list[Document],
    articles: list[Document],
    dice: random.Random,
    now: float,
) -> Document:
    return {
        "id": f"seed-comment-{number:04}",
        "article": dice.choice(articles)["id"],
        "author": dice.choice(users)["id"],
        "text": dice.choice(_REMARKS).format(thing=dice.choice(_THINGS)),
        "created": now - (COMMENTS - number) * 600,
    }


def picture(number: int, width: int = 320, height: int = 200) -> bytes:
    """A PNG with a gradient, by hand: a start does not need to load an imaging library."""
    rows = b"".join(
        b"\x00"
        + b"".join(
            bytes(
                (
                    (x * 255 // width + number * 31) % 256,
                    (y * 255 // height + number * 67) % 256,
                    (number * 97 + 80) % 256,
                )
            )
            for x in range(width)
        )
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 6))
        + chunk(b"IEND", b"")
    )
