"""The dashboard in a real browser: live updates, sliders, keyboard, narrow screens."""

import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from playwright.sync_api import Browser, Page, expect

from flags.dashboard.forms.serving import balanced

if TYPE_CHECKING:
    from tests.flags.conftest import Server

TOKEN: Final = "api-alice-7b1f44d2"
HOME: Final = "/p/cms/production"
PATIENCE: Final = 20_000
"""Milliseconds."""
ON: Final = {"kind": "turnFlagOn"}
OFF: Final = {"kind": "turnFlagOff"}

pytestmark = pytest.mark.xdist_group("browser")
expect.set_options(timeout=PATIENCE)


@pytest.fixture
def window(chromium: Browser, server: "Server") -> Iterator[Callable[..., Page]]:
    """Opens windows, each of its own person; a script error or a breach of the policy fails."""
    contexts = []
    problems: list[str] = []

    def open_window(token: str = TOKEN, **options: Any) -> Page:
        context = chromium.new_context(base_url=server.origin, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda said: problems.append(said.text) if "Content Security" in said.text else None,
        )
        if token:
            assert context.request.post("/login", form={"token": token}).ok
            page.goto(f"{HOME}/")
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert problems == []


def following(page: Page) -> Page:
    """Once its stream of changes is open."""
    expect(page.locator("html")).to_have_attribute("data-following", "yes")
    return page


def shares(page: Page) -> list[float]:
    fields = page.locator("#default input[type=number]")
    return [float(fields.nth(i).input_value()) for i in range(fields.count())]


def test_sign_in(server: "Server", window: Callable[..., Page]) -> None:
    page = window(token="")
    page.goto(f"{HOME}/history")
    page.get_by_label("API token").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This token is not known here.")
    page.get_by_label("API token").fill(TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{HOME}/history")
    page.locator("#me summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading")).to_have_text("Sign in")


def test_a_link_whose_token_never_reaches_a_log(window: Callable[..., Page]) -> None:
    page = window(token="")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"/login#token={TOKEN}")
    page.wait_for_url(f"**{HOME}/")
    assert not any(TOKEN in url for url in asked)


def test_the_link_works_where_the_sign_in_page_is_open(window: Callable[..., Page]) -> None:
    page = window(token="")
    page.goto("/login")
    page.goto(f"/login#token={TOKEN}")
    page.wait_for_url(f"**{HOME}/")


def test_a_toggle_is_seen_in_another_window(server: "Server", window: Callable[..., Page]) -> None:
    server.create("articles-service")
    mine, theirs = following(window()), following(window())
    mine.get_by_role("switch", name="articles-service").click()
    switch = theirs.get_by_role("switch", name="articles-service")
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(theirs.locator("#flag-articles-service .last")).to_contain_text("alice turned on")


def test_what_somebody_types_is_kept(server: "Server", window: Callable[..., Page]) -> None:
    server.migration("publishing")
    page = window()
    page.goto(f"{HOME}/flags/publishing")
    following(page)
    page.locator("#default input[name=comment]").fill("half written")
    server.patch("publishing", ON)
    expect(page.locator("#switch-state")).to_contain_text("On")
    expect(page.locator("#stale")).to_be_visible()
    expect(page.locator("#default input[name=comment]")).to_have_value("half written")
    page.locator("#default button").first.click()
    expect(page.locator("#problem")).to_contain_text("Somebody changed this meanwhile")
    expect(page.locator("#default input[name=comment]")).to_have_value("half written")
    page.locator("#default button").first.click()
    expect(page.locator(".done")).to_be_visible()


def test_focus_and_open_parts_survive_an_update(
    server: "Server", window: Callable[..., Page]
) -> None:
    server.create("a")
    page = following(window())
    page.get_by_role("switch", name="a").focus()
    server.patch("a", ON)
    expect(page.get_by_role("switch", name="a")).to_have_attribute("aria-checked", "true")
    expect(page.get_by_role("switch", name="a")).to_be_focused()


def test_sliders_balance_and_save(server: "Server", window: Callable[..., Page]) -> None:
    server.migration("publishing")
    page = window()
    page.goto(f"{HOME}/flags/publishing")
    assert shares(page) == [100, 0, 0, 0, 0, 0]
    live = page.get_by_label("live, slider")
    live.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert shares(page) == [95, 0, 0, 5, 0, 0]
    page.get_by_label("shadow, percent").fill("94.5")
    page.keyboard.press("Tab")
    after = shares(page)
    assert after[2] == 94.5
    assert round(sum(after), 3) == 100
    expect(page.locator("#default .sum output")).to_have_text("100")
    page.locator("#default input[name=comment]").fill("a few percent")
    page.get_by_role("button", name="Save percentages").click()
    expect(page.locator(".done")).to_contain_text("changed the default rule")
    rollout = server.get("publishing")["environments"]["production"]["fallthrough"]["rollout"]
    assert [v["weight"] / 1000 for v in rollout["variations"]] == [s for s in after if s]
    assert shares(page) == after


def test_the_script_balances_as_the_tests_say(
    server: "Server", window: Callable[..., Page]
) -> None:
    page, choose = window(), random.Random(7)  # noqa: S311 - examples, no secrets
    cases = []
    for _ in range(300):
        cuts = sorted(choose.choice([0, 50_000, choose.randrange(100_001)]) for _ in range(5))
        weights = [b - a for a, b in zip([0, *cuts], [*cuts, 100_000], strict=True)]
        cases.append((weights, choose.randrange(6), choose.randrange(100_001)))
    found = page.evaluate("cases => cases.map(([w, at, to]) => balanced(w, at, to))", cases)
    assert found == [balanced(*case) for case in cases]


def test_a_rule_is_added(server: "Server", window: Callable[..., Page]) -> None:
    server.migration("publishing")
    page = window()
    page.goto(f"{HOME}/flags/publishing")
    page.get_by_role("link", name="Add rule").click()
    page.get_by_label("Description").fill("Trials first")
    page.get_by_label("Attribute").first.fill("plan")
    page.get_by_label("Values").fill("trial")
    page.get_by_role("button", name="Add condition").click()
    second = page.get_by_role("group", name="Condition 2")
    second.get_by_label("Attribute").fill("age")
    second.get_by_label("Operator").select_option(label="is at least")
    second.get_by_label("Values").fill("18")
    expect(page.get_by_label("live, slider")).to_be_hidden()
    page.locator("#serve").select_option(label="percentages …")
    page.get_by_label("live, percent").fill("20")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".verdict")).to_contain_text("No contexts were seen lately")
    page.get_by_role("button", name="Make this change").click()
    expect(page.locator("#rules")).to_contain_text(
        "if user plan is one of trial and user age is at"
    )
    (rule,) = server.get("publishing")["environments"]["production"]["rules"]
    assert rule["clauses"][1]["values"] == [18]
    assert [v["weight"] for v in rule["rollout"]["variations"]] == [80_000, 20_000]


def test_a_segment_is_chosen_instead_of_values(
    server: "Server", window: Callable[..., Page]
) -> None:
    server.create("a")
    page = window()
    page.goto(f"{HOME}/flags/a/rules/new")
    expect(page.get_by_label("Values")).to_be_visible()
    page.get_by_label("Operator").select_option(label="is in the segment")
    expect(page.get_by_label("Values")).to_be_hidden()
    expect(page.get_by_text("There is no segment yet.")).to_be_visible()


def test_kill_switch_with_reason(server: "Server", window: Callable[..., Page]) -> None:
    server.create("articles-service")
    server.patch("articles-service", ON)
    page = window()
    page.goto(f"{HOME}/environments")
    page.locator("#edit-production summary").click()
    page.get_by_label("Require a reason").first.check()
    page.get_by_role("button", name="Save").first.click()
    page.goto(f"{HOME}/flags/articles-service")
    kill = page.get_by_role("button", name="Turn off")
    box = kill.bounding_box()
    assert box is not None
    assert box["height"] >= 48
    assert box["y"] + box["height"] < 400, "it is seen without scrolling"
    kill.click()
    reason = page.locator("#switch input[name=comment]")
    expect(reason).to_be_focused()
    assert page.evaluate("document.querySelector('#switch form').checkValidity()") is False
    reason.fill("errors on the rise")
    page.keyboard.press("Enter")
    expect(page.locator("#switch-state")).to_contain_text("Off")
    assert server.get("articles-service")["environments"]["production"]["on"] is False
    page.get_by_role("link", name="History", exact=True).last.click()
    expect(page.locator("#history-list")).to_contain_text("errors on the rise")


def test_the_keyboard_is_enough(server: "Server", window: Callable[..., Page]) -> None:
    for key in ("alpha", "beta", "gamma"):
        server.create(key)
    page = following(window())
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("#link-beta")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#link-gamma")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Shift+Tab")
    switch = page.get_by_role("switch", name="beta")
    expect(switch).to_be_focused()
    outline = switch.evaluate("e => getComputedStyle(e).outlineWidth")
    assert float(outline.removesuffix("px")) >= 2, "the focus is seen"
    with page.expect_navigation():
        page.keyboard.press("Space")
    expect(page.get_by_role("switch", name="beta")).to_have_attribute("aria-checked", "true")
    page.keyboard.press("/")
    expect(page.get_by_label("Search flags")).to_be_focused()
    page.keyboard.type("gam")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=gam")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{HOME}/flags/gamma")


def test_every_control_can_be_reached(server: "Server", window: Callable[..., Page]) -> None:
    server.migration("publishing")
    page = window()
    page.goto(f"{HOME}/flags/publishing")
    wanted = page.locator(
        "main :is(input:not([type=hidden]), select, textarea, button, a):visible"
    ).count()
    reached: set[str] = set()
    page.locator("#main").focus()
    mark = "document.activeElement.dataset.seen ??= String(Math.random())"
    for _ in range(wanted * 2):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('main') === null"):
            break
        if page.evaluate("document.activeElement.matches('input, select, textarea, button, a')"):
            reached.add(cast(str, page.evaluate(mark)))
    assert len(reached) == wanted


def test_a_viewer_cannot_change_anything(
    server: "Server",
    window: Callable[..., Page],
    token_of: Callable[["Server", str], str],
) -> None:
    server.create("a")
    page = following(window(token_of(server, "reader")))
    expect(page.locator("#me summary")).to_contain_text("viewer")
    expect(page.get_by_role("switch")).to_have_count(0)
    page.goto(f"{HOME}/flags/a")
    expect(page.locator("main").get_by_role("button")).to_have_count(0)
    following(page)
    server.patch("a", ON)
    expect(page.locator("#switch-state")).to_contain_text("On")


PAGES: Final = (
    "/", "/flags/publishing", "/flags/publishing/rules/new", "/flags/publishing/evaluations",
    "/flags/publishing/schedule", "/flags/publishing/history", "/flags/publishing/settings",
    "/history", "/segments", "/new-flag", "/new-segment", "/sdks", "/environments", "/tokens",
)  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_pages_do_not_scroll_sideways(
    server: "Server", window: Callable[..., Page], scheme: str
) -> None:
    server.migration("publishing")
    server.create("a-key-that-is-much-longer-than-the-screen-of-a-telephone-is-wide-x-x-x-x")
    page = window(viewport={"width": 375, "height": 700}, color_scheme=scheme)
    for path in PAGES:
        page.goto(HOME + path)
        for summary in page.locator("main details.more > summary").all():
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, path
        ink = page.evaluate("getComputedStyle(document.body).color")
        assert (sum(map(int, ink[4:-1].split(","))) > 384) is (scheme == "dark")


NAMELESS: Final = """
() => {
  const controls = "input:not([type=hidden]), select, textarea:not([hidden]), button, a, summary";
  const name = e => e.ariaLabel || e.labels?.[0]?.textContent.trim() || e.textContent.trim();
  return [...document.querySelectorAll(controls)].filter(e => !name(e)).map(e => e.outerHTML);
}
"""
TWICE: Final = """
() => { const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
        return ids.filter((id, i) => ids.indexOf(id) !== i); }
"""


def test_every_control_has_a_name_and_every_id_is_one(
    server: "Server", window: Callable[..., Page]
) -> None:
    server.migration("publishing")
    server.create("a")
    page = window()
    for path in PAGES:
        page.goto(HOME + path)
        assert page.evaluate(NAMELESS) == [], path
        assert page.evaluate(TWICE) == [], path


def test_without_script_everything_is_there(server: "Server", window: Callable[..., Page]) -> None:
    server.migration("publishing")
    page = window(java_script_enabled=False)
    page.goto(f"{HOME}/flags/publishing")
    page.get_by_label("off, percent").fill("40")
    page.get_by_label("live, percent").fill("50")
    page.get_by_role("button", name="Save percentages").click()
    expect(page.get_by_role("alert")).to_have_text("the percentages sum to 90, expected 100")
    page.get_by_label("off, percent").fill("50")
    page.get_by_role("button", name="Save percentages").click()
    expect(page.locator(".done")).to_be_visible()
    page.get_by_role("button", name="Turn on").click()
    expect(page.locator("#switch-state")).to_contain_text("On")
