"""The monolith: every domain in one program on one SQLite file. `python -m cms.monolith`."""

from cms import accounts, articles, comments, media, publishing, search, seed
from cms.kit import program as kit
from cms.peers import Inside

OWNED = {
    "user-management": ("user",),
    "articles": ("article", "revision"),
    "comments": ("comment",),
    "media": ("media",),
    "twitter-publisher": ("post",),
}
"""Which documents each service may write, so that the monolith follows it for them."""


def main() -> None:
    program = kit.monolith(OWNED, search.index)
    seed.fill(program.store)
    peers = Inside(program.store)
    announcer = articles.Announcer(program, peers)
    sender = publishing.Sender(program, lambda: True)
    kit.run(
        program,
        [
            articles.home(program, peers),
            accounts.routes(program),
            articles.routes(program, peers, announcer),
            comments.routes(program, peers),
            media.routes(program),
            search.routes(program),
            publishing.routes(program, sender.wake),
        ],
        background=(announcer.start, sender.start),
    )


if __name__ == "__main__":
    main()
