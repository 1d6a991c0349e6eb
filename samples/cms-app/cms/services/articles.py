"""The articles service. `python -m cms.services.articles`."""

from cms import articles
from cms.kit import program as kit
from cms.peers import Outside


def main() -> None:
    program = kit.service("articles", ("article", "revision"))
    peers = Outside(program.gateway)
    announcer = articles.Announcer(program, peers)
    kit.run(
        program,
        [articles.routes(program, peers, announcer)],
        capability="publishing",
        background=(announcer.start,),
    )


if __name__ == "__main__":
    main()
