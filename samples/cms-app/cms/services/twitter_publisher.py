"""The twitter-publisher service. `python -m cms.services.twitter_publisher`.

It obeys its kill switch inside, too: while the flag `twitter-publisher-service` is off nothing
leaves, and what is queued waits.
"""

from cms import publishing
from cms.kit import program as kit


def main() -> None:
    program = kit.service("twitter-publisher", ("post",))
    flags = program.flags
    sender = publishing.Sender(program, lambda: flags is None or flags.enabled("twitter-publisher"))
    kit.run(
        program,
        [publishing.routes(program, sender.wake)],
        capability="publishing",
        background=(sender.start,),
    )


if __name__ == "__main__":
    main()
