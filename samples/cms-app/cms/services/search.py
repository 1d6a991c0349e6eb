"""The search service. `python -m cms.services.search`."""

from cms import search
from cms.kit import program as kit


def main() -> None:
    program = kit.service("search", ("article",), search.index)
    kit.run(program, [search.routes(program)], capability="search")


if __name__ == "__main__":
    main()
