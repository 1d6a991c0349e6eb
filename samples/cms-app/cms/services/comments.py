"""The comments service. `python -m cms.services.comments`."""

from cms import comments
from cms.kit import program as kit
from cms.peers import Outside


def main() -> None:
    program = kit.service("comments", ("comment",))
    kit.run(program, [comments.routes(program, Outside(program.gateway))], capability="discussion")


if __name__ == "__main__":
    main()
