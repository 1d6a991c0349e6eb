"""All flags at once."""

from evaluation_builders import a_context, a_flag, a_world, needs
from flags.evaluation import evaluate, evaluate_all

WORLD = a_world(
    a_flag("first", prerequisites=[needs("second")]),
    a_flag("second", prerequisites=[needs("third")]),
    a_flag("third"),
    a_flag("cycle", prerequisites=[needs("wheel")]),
    a_flag("wheel", prerequisites=[needs("cycle")]),
    a_flag("stuck", prerequisites=[needs("second"), needs("cycle")]),
)


def test_the_same_as_one_by_one() -> None:
    everything = evaluate_all(WORLD, a_context(), lambda _flag: True)
    assert everything == {
        key: evaluate(flag, a_context(), WORLD) for key, flag in WORLD.flags.items()
    }
    errors = [key for key, detail in everything.items() if detail.reason["kind"] == "ERROR"]
    assert errors == ["cycle", "wheel", "stuck"]


def test_only_what_is_available() -> None:
    """A prerequisite counts although it is not available itself."""
    everything = evaluate_all(WORLD, a_context(), lambda flag: flag.key == "first")
    assert list(everything) == ["first"]
    assert (everything["first"].value, everything["first"].prerequisites) == ("b", ("second",))
