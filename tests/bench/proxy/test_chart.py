"""The chart is well-formed, in order, to scale, and for both kinds of pages."""

from xml.etree import ElementTree

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


def test_nothing_to_draw() -> None:
    root = ElementTree.fromstring(bars("CPU", "µs", {}, "ours"))  # noqa: S314 # our own text
    assert root.findall(f"{SVG}rect") == []
