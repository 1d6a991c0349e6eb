"""The chart is well-formed, in order, to scale, and for both kinds of pages."""

from xml.etree import ElementTree

import pytest

from bench.proxy.chart import LEFT, RIGHT, WIDTH, bars

SVG = "{http://www.w3.org/2000/svg}"


def test_bars() -> None:
    text = bars("CPU <time>", "µs", {"caddy": 200.0, "ours": 50.0, "a & b": 100.0}, "ours")
    root = ElementTree.fromstring(text)  # noqa: S314 # our own text
    drawn = root.findall(f"{SVG}rect")
    full = WIDTH - LEFT - RIGHT
    assert [float(each.attrib["width"]) for each in drawn] == [full / 4, full / 2, full]
    assert [each.attrib["class"] for each in drawn] == ["bar ours", "bar", "bar"]
    assert [each.text for each in root.findall(f"{SVG}text")] == [
        *("CPU <time>", "ours", "50 µs", "a & b", "100 µs", "caddy", "200 µs"),
    ]
    assert "prefers-color-scheme:dark" in text


@pytest.mark.parametrize(
    ("values", "lengths", "last"),
    [
        pytest.param([100.0, 400.0], [0.25, 1.0], "400 µs", id="to-scale"),
        pytest.param([50.0, 100.0, 401.0], [0.5, 1.0, 1.0], "401 µs, cut", id="cut"),
        pytest.param([0.0, 0.0], [0.0, 0.0], "0 µs", id="zeros"),
        pytest.param([7.0], [1.0], "7 µs", id="one"),
    ],
)
def test_scale(values: list[float], lengths: list[float], last: str) -> None:
    rows = {f"proxy {number}": value for number, value in enumerate(values)}
    root = ElementTree.fromstring(bars("CPU", "µs", rows, "ours"))  # noqa: S314 # our own text
    full = WIDTH - LEFT - RIGHT
    drawn = [float(each.attrib["width"]) / full for each in root.findall(f"{SVG}rect")]
    assert drawn == pytest.approx(lengths)
    assert root.findall(f"{SVG}text")[-1].text == last


def test_nothing_to_draw() -> None:
    root = ElementTree.fromstring(bars("CPU", "µs", {}, "ours"))  # noqa: S314 # our own text
    assert root.findall(f"{SVG}rect") == []
