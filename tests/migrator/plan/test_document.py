"""YAML to plain data with places; what is not plain, or beyond measure, is refused."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from migrator.plan.document import MAX_DEPTH, MAX_NODES, MAX_SIZE, Path, read, show_path
from migrator.plan.errors import PlanErrors


@pytest.mark.parametrize(
    ("text", "data"),
    [
        pytest.param(
            "a: off\nb: on\nc: yes\nd: No",
            dict(zip("abcd", ("off", "on", "yes", "No"), strict=True)),
            id="yaml-1.1-booleans-are-words",
        ),
        pytest.param("[true, TRUE, False, tRuE]", [True, True, False, "tRuE"], id="booleans"),
        pytest.param("[null, ~, NULL, '', '~', ]", [None, None, None, "", "~"], id="nulls"),
        pytest.param("a:", {"a": None}, id="nothing"),
        pytest.param(
            "[0, 12, -3, +4, 010, 0x1F, 1_000]",
            [0, 12, -3, 4, "010", "0x1F", "1_000"],
            id="integers",
        ),
        pytest.param("[1.5, -0.25, .5, 1e3, .inf]", [1.5, -0.25, ".5", "1e3", ".inf"], id="floats"),
        pytest.param(
            "['12', \"true\", 12:30, 2024-01-01]", ["12", "true", "12:30", "2024-01-01"], id="text"
        ),
        pytest.param("1: a\ntrue: b", {"1": "a", "true": "b"}, id="keys-are-text"),
        pytest.param("a: |\n  x\n  y\n", {"a": "x\ny\n"}, id="block"),
        pytest.param("a: &x [1]\nb: *x", {"a": [1], "b": [1]}, id="alias"),
        pytest.param(
            "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}",
            {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}},
            id="merge",
        ),
        pytest.param(
            "a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc: {<<: [*x, *y]}",
            {"a": {"p": 1}, "b": {"p": 2, "q": 2}, "c": {"p": 1, "q": 2}},
            id="first-merged-wins",
        ),
        pytest.param(
            "a: &x {p: 1}\nb: {p: 2, <<: *x}",
            {"a": {"p": 1}, "b": {"p": 2}},
            id="own-key-before-merge",
        ),
        pytest.param("{'<<': 1}", {"<<": 1}, id="quoted-merge-key"),
    ],
)
def test_data(text: str, data: object) -> None:
    found = read(text, "p.yaml").data
    assert found == data
    assert repr(found) == repr(data)  # 1, 1.0 and True are equal, yet not the same


@pytest.mark.parametrize(
    ("text", "path", "place"),
    [
        pytest.param("a: 1\nb:\n  c: 2", ("b", "c"), (3, 3), id="key"),
        pytest.param("a:\n  - x\n  - y", ("a", 1), (3, 5), id="item"),
        pytest.param("a: [x, {b: y}]", ("a", 1, "b"), (1, 9), id="flow"),
        pytest.param("# c\n\nä: 1\nb: 2", ("b",), (4, 1), id="comment"),
        pytest.param("a: {b: 1}", ("a", "nope", "deeper"), (1, 1), id="nearest-ancestor"),
        pytest.param("a: 1", (), (1, 1), id="document"),
        pytest.param("a: &x {p: 1}\nb: {<<: *x}", ("b", "p"), (1, 8), id="merged"),
        pytest.param(
            "a: &x {p: [1]}\nb: {<<: *x, p: [2]}", ("b", "p"), (2, 13), id="own-over-merged"
        ),
        pytest.param(
            "a: &x {p: [1]}\nb: {<<: *x, p: [2]}", ("b", "p", 0), (2, 17), id="item-over-merged"
        ),
        pytest.param("a: &x {p: 1}\nb: {p: 2, <<: *x}", ("b", "p"), (2, 5), id="own-before-merge"),
    ],
)
def test_place(text: str, path: Path, place: tuple[int, int]) -> None:
    assert read(text, "p.yaml").place(path) == place


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            "",
            "p.yaml:1:1: the file is empty; `migrator init` writes a plan to start from",
            id="empty",
        ),
        pytest.param(
            "# only this\n",
            "p.yaml:1:1: the file is empty; `migrator init` writes a plan to start from",
            id="comment-only",
        ),
        pytest.param(
            "a: [1",
            "p.yaml:1:6: this is not YAML: expected ',' or ']', but got '<stream end>'",
            id="open-list",
        ),
        pytest.param(
            "a: b: c",
            "p.yaml:1:5: this is not YAML: mapping values are not allowed here",
            id="two-colons",
        ),
        pytest.param(
            "a: *x", "p.yaml:1:4: this is not YAML: found undefined alias 'x'", id="unknown-alias"
        ),
        pytest.param(
            "a: 1\n---\nb: 2",
            "p.yaml:2:1: this is not YAML: but found another document",
            id="two-documents",
        ),
        pytest.param(
            "a: 1\nb: 2\na: 3",
            "p.yaml:3:1: a: the key 'a' is here twice; the first is in line 1",
            id="duplicate",
        ),
        pytest.param(
            "x: {a: 1, a: 2}",
            "p.yaml:1:11: x.a: the key 'a' is here twice; the first is in line 1",
            id="duplicate-nested",
        ),
        pytest.param("x: {[1]: 2}", "p.yaml:1:5: x: a key must be plain text", id="list-as-key"),
        pytest.param("x: {<<: 5}", "p.yaml:1:9: x: << needs a mapping", id="merge-of-a-number"),
        pytest.param("a: !env HOME", "p.yaml:1:4: the tag !env is not allowed in a plan", id="tag"),
        pytest.param(
            "a: !!python/name:os.system x",
            "p.yaml:1:4: the tag tag:yaml.org,2002:python/name:os.system is not allowed in a plan",
            id="python-tag",
        ),
        pytest.param(
            "a: !!str 5",
            "p.yaml:1:4: the tag tag:yaml.org,2002:str is not allowed in a plan",
            id="standard-tag",
        ),
    ],
)
def test_refused(text: str, problem: str) -> None:
    with pytest.raises(PlanErrors) as caught:
        read(text, "p.yaml")
    assert [str(p) for p in caught.value.problems] == [problem]


def test_all_duplicates_at_once() -> None:
    with pytest.raises(PlanErrors) as caught:
        read("a: 1\na: 2\nb: {c: 1, c: 2}", "p.yaml")
    assert [(p.line, p.path) for p in caught.value.problems] == [(2, "a"), (3, "b.c")]


_NINE = ("x",) * 9
_BOMB = "\n".join(
    [
        f"k0: &a0 [{','.join(_NINE)}]",
        *(f"k{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)),
    ]
)
_MERGE_BOMB = "\n".join(
    ["k0: &a0 {}"] + [f"k{i}: &a{i} {{<<: [{','.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 9)]
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(_BOMB, id="billion-laughs"),
        pytest.param(_MERGE_BOMB, id="billion-merges"),
        pytest.param("a: &a [*a]", id="alias-to-itself"),
        pytest.param("a: &a\n  <<: *a", id="merge-of-itself"),
        pytest.param("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), id="deep"),
        pytest.param(f"[{'a,' * (MAX_NODES + 1)}]", id="many-nodes"),
    ],
)
def test_beyond_measure(text: str) -> None:
    with pytest.raises(PlanErrors, match="nested or repeated beyond measure"):
        read(text, "p.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("x" * (MAX_SIZE + 1), "larger than", id="huge"),
        pytest.param("[" * 100_000, "recursion", id="very-deep"),
    ],
)
def test_too_much(text: str, message: str) -> None:
    with pytest.raises(PlanErrors, match=message):
        read(text, "p.yaml")


def test_deepest_allowed() -> None:
    data = read("[" * MAX_DEPTH + "]" * MAX_DEPTH, "p.yaml").data
    depth = 0
    while data:
        data, depth = data[0], depth + 1
    assert depth == MAX_DEPTH - 1


text = st.text(st.characters(codec="utf-8"), max_size=12)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


@given(plain.filter(lambda value: value is not None), st.booleans())
def test_reads_what_yaml_writes(value: Any, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow)
    assert read(text, "p.yaml").data == value


@given(st.text())
def test_any_text_is_data_or_problems(text: str) -> None:
    try:
        problems = [str(p) for p in read(text, "p.yaml").places.values()]
    except PlanErrors as error:
        problems = [str(problem) for problem in error.problems]
    assert problems


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param((), "", id="root"),
        pytest.param(("spec", "routes", 0, "path"), "spec.routes[0].path", id="nested"),
        pytest.param((0, "a"), "[0].a", id="list-first"),
    ],
)
def test_show_path(path: Path, text: str) -> None:
    assert show_path(path) == text
