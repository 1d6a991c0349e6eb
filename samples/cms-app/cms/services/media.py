"""The media service. `python -m cms.services.media`."""

from cms import media
from cms.kit import program as kit


def main() -> None:
    program = kit.service("media", ("media",))
    kit.run(program, [media.routes(program)], capability="publishing")


if __name__ == "__main__":
    main()
