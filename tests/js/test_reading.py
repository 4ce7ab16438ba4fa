"""The scroll position while text grows, and the additions to code."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from chat.rendering.markdown import to_html
from tools.static_site import Files

PAGE = """<!doctype html><html lang=en><title>Reading</title><link rel=icon href=/img/favicon.svg>
<link rel=stylesheet href="/js/reading.test.css"><body><main>
<div id=messages><article class=message aria-busy=true><div class=prose>{html}</div></article></div>
<div id=dock></div></main><script type=module src="/js/reading.test.js"></script>"""

STYLE = "p { height: 40px } #dock { position: sticky; bottom: 0; height: 60px }"

SCRIPT = """import { enhanceHistory, startCopyButtons } from "/js/enhance/enhance.js";
import { startStickToBottom } from "/js/conversation/scroll.js";
startStickToBottom();
startCopyButtons();
enhanceHistory(document);
document.body.dataset.ready = "";
"""

GROW = """async () => {
    const prose = document.querySelector(".prose");
    prose.append(document.createElement("p"));
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const { scrollHeight, scrollTop, clientHeight } = document.scrollingElement;
    return scrollHeight - scrollTop - clientHeight;
}"""


WAIT_FOR_FRAMES = """async () => {
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
}"""


@pytest.fixture
def open_history(page: Page) -> Iterator[Any]:
    def serve_script(route: Route) -> None:
        route.fulfill(body=SCRIPT, content_type="text/javascript")

    def serve_style(route: Route) -> None:
        route.fulfill(body=STYLE, content_type="text/css")

    page.route("**/js/reading.test.js", serve_script)
    page.route("**/js/reading.test.css", serve_style)

    def open_page(html: str) -> Page:
        Files.pages["/reading"] = PAGE.format(html=html).encode()
        page.goto("/reading")
        expect(page.locator("body[data-ready]")).to_be_attached()
        return page

    yield open_page
    Files.pages.clear()


def scroll_up(page: Page) -> None:
    page.mouse.move(200, 200)
    page.mouse.wheel(0, -600)
    page.wait_for_function("() => scrollY < document.body.scrollHeight - innerHeight - 300")


def find_pill(page: Page) -> Any:
    return page.get_by_role("button", name="Latest")


def test_the_page_opens_at_the_end_and_stays_there(open_history: Any) -> None:
    page = open_history("<p>x</p>" * 60)
    assert [page.evaluate(GROW) for _ in range(3)] == [0, 0, 0]
    expect(find_pill(page)).to_be_hidden()


def test_scrolling_up_stops_following_and_new_text_is_announced(open_history: Any) -> None:
    page = open_history("<p>x</p>" * 60)
    scroll_up(page)
    before = page.evaluate("scrollY")
    page.evaluate(GROW)
    assert page.evaluate("scrollY") == before
    expect(find_pill(page)).to_be_visible()
    find_pill(page).click()
    assert page.evaluate(GROW) == 0
    expect(find_pill(page)).to_be_hidden()


def test_scroll_anchoring_is_on_only_away_from_the_end(open_history: Any) -> None:
    """A search for an anchor in the blocks of a long reply costs more than the new text."""
    page = open_history("<p>x</p>" * 60)
    page.add_style_tag(url="/css/transcript.css")
    anchor = "getComputedStyle(document.documentElement).overflowAnchor"
    assert page.evaluate(anchor) == "none"
    scroll_up(page)
    assert page.evaluate(anchor) == "auto"
    page.mouse.wheel(0, 2000)
    page.wait_for_function(f"() => {anchor} === 'none'")


STEPS = {
    "a wheel by one pixel": "() => scrollBy(0, -1)",
    "twenty pixels": "() => scrollBy(0, -20)",
    "a fraction of a pixel, twice": """async () => {
        for (const step of [-0.6, -0.6]) {
            scrollBy(0, step);
            await new Promise(requestAnimationFrame);
        }
    }""",
    "a drag of the bar": "() => { document.scrollingElement.scrollTop -= 35; }",
    "a screen reader": """() => document.querySelector("p:nth-last-child(12)")
        .scrollIntoView({ block: "center" })""",
    "in the frame that adds text": """async () => {
        await new Promise(requestAnimationFrame);
        scrollBy(0, -20);
        document.querySelector(".prose").append(document.createElement("p"));
    }""",
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_a_step_up_by_any_amount_stays(open_history: Any, step: str) -> None:
    page = open_history("<p>x</p>" * 60)
    page.evaluate(GROW)
    page.evaluate(step)
    page.evaluate(WAIT_FOR_FRAMES)
    before = page.evaluate("scrollY")
    distances = [page.evaluate(GROW) for _ in range(2)]
    assert page.evaluate("scrollY") == before
    assert distances[1] - distances[0] >= 40


@pytest.mark.parametrize("key", ["ArrowUp", "PageUp", "Home", "Shift+Space"])
def test_a_key_that_scrolls_up_stays(open_history: Any, key: str) -> None:
    page = open_history("<p>x</p>" * 60)
    page.keyboard.press(key)
    page.wait_for_function("() => scrollY < document.body.scrollHeight - innerHeight - 10")
    distances = [page.evaluate(GROW) for _ in range(3)]
    assert 0 < distances[0] < distances[-1]


def test_a_step_down_that_ends_near_the_end_follows_again(open_history: Any) -> None:
    page = open_history("<p>x</p>" * 60)
    page.evaluate("() => scrollBy(0, -30)")
    page.evaluate(WAIT_FOR_FRAMES)
    page.evaluate("() => scrollBy(0, 10)")
    page.evaluate(WAIT_FOR_FRAMES)
    assert page.evaluate(GROW) == 0


CHANGES = {
    "a shorter text": """() => {
        for (const p of document.querySelectorAll("p:nth-child(n+50)")) p.remove();
    }""",
    "a picture that loads": "() => { document.querySelector('p').style.height = '700px'; }",
    "a higher text in many steps": """async () => {
        for (let i = 0; i < 20; i++) {
            document.querySelector(".prose").append(document.createElement("p"));
            await new Promise(requestAnimationFrame);
        }
    }""",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_the_page_is_no_step(open_history: Any, change: str) -> None:
    page = open_history("<p>x</p>" * 60)
    page.evaluate(change)
    assert [page.evaluate(GROW) for _ in range(2)] == [0, 0]


def test_another_size_of_the_window_is_no_step(open_history: Any) -> None:
    page = open_history("<p>x</p>" * 60)
    for width, height in ((1280, 400), (1280, 900), (400, 900), (800, 500)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(GROW) == 0
    page.evaluate("() => dispatchEvent(new WheelEvent('wheel', { deltaY: -100, ctrlKey: true }))")
    assert page.evaluate(GROW) == 0


ADD_LIST = """() => {
    const list = document.createElement("nav");
    list.append(...Array.from({ length: 20 }, () => document.createElement("p")));
    list.style.cssText = "position: fixed; top: 0; width: 99px; height: 99px; overflow-y: auto";
    document.body.append(list);
    list.scrollTop = 99;
}"""
TURN_WHEEL_UP = """(target) => target.dispatchEvent(
    new WheelEvent("wheel", { deltaY: -100, bubbles: true }))"""


def test_the_wheel_over_a_list_is_no_step(open_history: Any) -> None:
    """The list moves then. At its start, one that contains its scrolling moves nothing."""
    page = open_history("<p>x</p>" * 60)
    page.evaluate(ADD_LIST)
    page.locator("nav").evaluate(TURN_WHEEL_UP)
    assert page.evaluate(GROW) == 0
    page.locator("nav").evaluate(
        "(list) => { list.scrollTop = 0; list.style.overscrollBehavior = 'contain'; }"
    )
    page.locator("nav").evaluate(TURN_WHEEL_UP)
    assert page.evaluate(GROW) == 0
    page.locator(".prose").evaluate(TURN_WHEEL_UP)
    assert page.evaluate(GROW) > 0


def test_scrolling_back_to_the_end_resumes_following(open_history: Any) -> None:
    page = open_history("<p>x</p>" * 60)
    scroll_up(page)
    page.evaluate(GROW)
    expect(find_pill(page)).to_be_visible()
    page.mouse.wheel(0, 2000)
    expect(find_pill(page)).to_be_hidden()
    assert page.evaluate(GROW) == 0


CODE = "```py\nfor tide in range(3):\n    print(f'{tide} < 3')  # <b>&amp;</b>\n```"


def test_code_is_highlighted_and_keeps_its_text(open_history: Any) -> None:
    page = open_history(to_html(CODE))
    expect(page.locator(".hljs-keyword").first).to_have_text("for")
    text = page.locator("pre code").evaluate("code => code.textContent")
    assert text == "for tide in range(3):\n    print(f'{tide} < 3')  # <b>&amp;</b>"
    expect(page.locator("pre code :not(span)")).to_have_count(0)


def test_a_long_program_is_highlighted_completely_during_reasoning(open_history: Any) -> None:
    """It is highlighted in pieces, one in a frame. A reply without text does not delay them."""
    program = "\n".join(f"tide_{n} = {n}" for n in range(2_000))
    page = open_history("<p aria-busy=true></p>" + to_html(f"```py\n{program}\n```"))
    expect(page.locator(".hljs-number")).to_have_count(2_000, timeout=8_000)
    assert page.locator("pre code").evaluate("code => code.textContent") == program


def test_very_long_code_and_unknown_languages_stay_plain(open_history: Any) -> None:
    blocks = [("py", "x = 1" * 11_000), ("klingon", "x"), ("constructor", "x"), ("py", "x = 1")]
    page = open_history(to_html("\n\n".join(f"```{name}\n{code}\n```" for name, code in blocks)))
    expect(page.get_by_role("button", name="Copy code")).to_have_count(4)
    expect(page.locator("pre").last.locator("span")).to_have_count(1)  # they come one by one
    expect(page.locator("pre span")).to_have_count(1)


@pytest.mark.parametrize("clipboard", [True, False], ids=["https", "plain http"])
def test_code_is_copied_unchanged(open_history: Any, page: Page, clipboard: bool) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_history(to_html(CODE))
    read = page.evaluate_handle("() => navigator.clipboard.readText.bind(navigator.clipboard)")
    if not clipboard:
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.get_by_role("button", name="Copy code").click()
    expect(page.get_by_role("button", name="Copy code")).to_have_text("Copied")
    copied = page.evaluate("(read) => read()", read)
    assert copied == "for tide in range(3):\n    print(f'{tide} < 3')  # <b>&amp;</b>"


MATHS = "So $x^2 + 1$ costs $5 and $6:\n\n$$\n\\frac{a}{b}\n$$\n\nand $\\nonsense{$ stays."


def test_maths_is_rendered_and_unreadable_formulas_stay(open_history: Any) -> None:
    page = open_history(to_html(MATHS))
    expect(page.locator("p .math > math")).to_have_count(1)
    expect(page.locator("div.math > math[display=block] mfrac")).to_be_attached()
    expect(page.locator("p").first).to_contain_text("costs $5 and $6:")
    expect(page.locator("p").last).to_contain_text("$\\nonsense{$ stays.")


EVIL = [
    r"$\href{javascript:window.__hit=1}{x}$",
    r"$\includegraphics{https://example.com/x.png}$",
    r"$\htmlStyle{color:red}{x} \htmlId{a}{x} \htmlData{hx-get=/x}{x}$",
    r"$\fcolorbox{red}{blue}{x}$ and $\pmb{x}$ and $\boxed{x}$ and $\color{red}x$",
    r"$\def\a{\a\a}\a$",
    r"$\rule{9999em}{9999em}$ $\unicode{x}$ $\text{<img src=x onerror=window.__hit=1>}$",
]


def test_maths_loads_nothing_runs_nothing_and_has_no_styles(open_history: Any, site: str) -> None:
    urls: list[str] = []
    page = open_history(to_html("\n\n".join(["$x$", *EVIL, "$y$"])))
    page.on("request", lambda request: urls.append(request.url))
    expect(page.locator("p").last.locator("math")).to_be_attached()
    bad = "math :is(a, img, [href], [src], [style], [id], [data-hx-get])"
    expect(page.locator(bad)).to_have_count(0)
    assert page.evaluate("window.__hit ?? 0") == 0
    assert [url for url in urls if not url.startswith(f"{site}/")] == []


LETTERS = [
    (r"\mathbb{RCHNPQZk1}", "ℝℂℍℕℙℚℤ𝕜𝟙"),
    (r"\mathcal{LBEFHIMRA}", "ℒℬℰℱℋℐℳℛ𝒜"),
    (r"\mathbf{xA1}", "𝐱𝐀𝟏"),
    (r"\mathfrak{gCHIRZA}", "𝔤ℭℌℑℜℨ𝔄"),
    (r"\mathsf{xA1}", "𝗑𝖠𝟣"),
    (r"\mathtt{xA1}", "𝚡𝙰𝟷"),
    (r"\boldsymbol{x\alpha}\mathbf{\Omega}", "𝒙𝜶𝛀"),
    (r"\mathrm{xA1}", "xA1"),
]


def test_mathematical_letters_are_separate_characters(open_history: Any) -> None:
    """Browsers with MathML Core support no other `mathvariant` than `normal`."""
    page = open_history(to_html("\n\n".join(f"${tex}$" for tex, _ in LETTERS)))
    expect(page.locator("math")).to_have_count(len(LETTERS))
    rows = page.locator("math semantics > :first-child").all_text_contents()
    assert rows == [letters for _, letters in LETTERS]
    annotation = page.locator("annotation").first
    assert annotation.text_content() == LETTERS[0][0], "its source is what it was"


def test_cells_of_matrices_are_spaced(open_history: Any) -> None:
    page = open_history(to_html("$$\n\\begin{matrix}1&2\\\\3&4\\end{matrix}\n$$"))
    for sheet in ("base", "prose"):
        page.add_style_tag(url=f"/css/{sheet}.css")
    cells = page.locator("mtd")
    expect(cells).to_have_count(4)
    sides = "(cell) => parseFloat(getComputedStyle(cell).paddingLeft)"
    assert cells.first.evaluate(sides) > 3


HUGE = [
    "$" + "x+" * 2000 + "$",
    "$" + r"\sqrt{" * 200 + "x" + "}" * 200 + "$",
    "$$\\begin{matrix}" + "a&" * 900 + "\\end{matrix}$$",
]


def test_a_formula_too_large_to_render_stays_as_written(open_history: Any) -> None:
    page = open_history(
        "".join(f'<p><span class="math">{tex}</span></p>' for tex in [*HUGE, "$x$"])
    )
    expect(page.locator("p").last.locator("math")).to_be_attached()
    expect(page.locator("math")).to_have_count(1)
    assert page.locator(".math").all_text_contents()[:3] == HUGE
