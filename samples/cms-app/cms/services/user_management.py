"""The user-management service. `python -m cms.services.user_management`."""

from cms import accounts
from cms.kit import program as kit


def main() -> None:
    program = kit.service("user-management", ("user",))
    kit.run(program, [accounts.routes(program)], capability="accounts")


if __name__ == "__main__":
    main()
