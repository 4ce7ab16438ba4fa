"""Markdown in the browser: the same document however it arrives, the same as the server's, and
nothing in it that runs, loads or sends."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, Page

from chat.rendering.cleaner import ALLOWED_ATTRIBUTES, ALLOWED_TAGS
from chat.rendering.markdown import to_html

TESTS = Path(__file__).resolve().parents[1]
CASES = json.loads((TESTS / "markdown_cases.json").read_text())
ATTACKS: list[str] = json.loads((TESTS / "markdown_attacks.json").read_text())

RENDER = """async ([sources, whole]) => {
    const { MarkdownStream } = await import("/js/markdown/stream.js");
    return sources.map((source) => {
        const root = document.createElement("div");
        const stream = new MarkdownStream(root);
        if (whole) stream.append(source);
        else
            for (const character of source) {
                stream.append(character);
                stream.flush();
            }
        stream.finish();
        return root.innerHTML;
    });
}"""

# The server's HTML as a browser reads it, so that only what it means is compared.
READ_HTML = """async (htmls) => {
    const { trustHtml } = await import("/js/trusted-html.js");
    return htmls.map((html) => {
        const page = document.implementation.createHTMLDocument("");
        page.body.innerHTML = trustHtml(html);
        return page.body.innerHTML;
    });
}"""


def render(page: Page, sources: list[str], *, whole: bool = True) -> list[str]:
    result: list[str] = page.evaluate(RENDER, [sources, whole])
    return result


def read_htmls(page: Page, htmls: list[str]) -> list[str]:
    result: list[str] = page.evaluate(READ_HTML, htmls)
    return result


def map_by_name(cases: list[dict[str, str]], htmls: list[str]) -> dict[str, str]:
    return {case["name"]: html for case, html in zip(cases, htmls, strict=True)}


def test_the_browser_and_the_server_agree_on_every_case(page: Page) -> None:
    cases = CASES["agree"]
    sources = [case["markdown"] for case in cases]
    assert len(cases) >= 60
    served = read_htmls(page, [to_html(source) for source in sources])
    assert map_by_name(cases, render(page, sources)) == map_by_name(cases, served)


def test_a_document_fed_by_characters_is_the_same_document(page: Page) -> None:
    cases = CASES["agree"] + CASES["differ"]
    sources = [case["markdown"] for case in cases]
    at_once = map_by_name(cases, render(page, sources))
    assert map_by_name(cases, render(page, sources, whole=False)) == at_once


SET = """async (sources) => {
    const { MarkdownStream } = await import("/js/markdown/stream.js");
    const { enhanceGrowing, enhanceGrown } = await import("/js/enhance/enhance.js");
    await (await import("/js/enhance/enhance.js")).loadKatex();
    let set = 0;
    const htmls = sources.map((source) => {
        const root = document.createElement("div");
        const stream = new MarkdownStream(root, enhanceGrown);
        for (const character of source) {
            stream.append(character);
            stream.flush();
            enhanceGrowing(stream);
        }
        stream.finish();
        for (const formula of root.querySelectorAll("[data-source]")) {
            set += formula.querySelectorAll("math").length;
            formula.replaceChildren(formula.dataset.source);
            formula.removeAttribute("data-source");
        }
        root.querySelectorAll("pre > button").forEach((button) => button.remove());
        return root.innerHTML;
    });
    return { htmls, set };
}"""


def test_formulas_rendered_meanwhile_give_the_same_document(page: Page) -> None:
    cases = CASES["agree"] + CASES["differ"]
    sources = [case["markdown"] for case in cases]
    result: dict[str, Any] = page.evaluate(SET, sources)
    assert map_by_name(cases, result["htmls"]) == map_by_name(cases, render(page, sources))
    assert result["set"] > 30


def test_the_known_differences_are_only_those_that_are_listed(page: Page) -> None:
    """When a newer marked or markdown-it mends one, it belongs among the cases that agree."""
    sources = [case["markdown"] for case in CASES["differ"]]
    served = read_htmls(page, [to_html(source) for source in sources])
    pairs = zip(render(page, sources), served, strict=True)
    assert all(browser != server for browser, server in pairs)


# Seams

SEAM_CASES = [
    ("between blocks", "One.\n\nTwo.", [6]),
    ("in the middle of a word", "One and two.\n\nThree.", [6]),
    ("in a fence", "```\na\nb\n```\n\nafter", [6]),
    ("in a list", "- a\n- b\n\nafter", [5]),
    ("at the very end", "One.\n\nTwo.", [10]),
    ("twice in one block", "One and two.\n\nThree.", [3, 7]),
    ("twice apart", "One.\n\nTwo.\n\nThree.", [2, 8]),
    ("beyond characters of two code units", "🐙🐙🐙 kelp.\n\nTwo.\n\nThree.", [11]),
    ("after line ends of Windows", "One.\r\n\r\nTwo.\r\n\r\nThree.", [8]),
]

SEAM = """async ([source, seams, step]) => {
    const { MarkdownStream } = await import("/js/markdown/stream.js");
    const root = document.createElement("div");
    const stream = new MarkdownStream(root);
    const characters = [...source];
    characters.forEach((character, i) => {
        seams.filter((place) => place === i).forEach(() => stream.seam());
        stream.append(character);
        if (step) stream.flush();
    });
    seams.filter((place) => place === characters.length).forEach(() => stream.seam());
    stream.finish();
    return root.innerHTML;
}"""


@pytest.mark.parametrize("step", [False, True], ids=["whole", "by character"])
@pytest.mark.parametrize(("where", "source", "seams"), SEAM_CASES, ids=[s[0] for s in SEAM_CASES])
def test_a_seam_appears_after_the_block_it_falls_into(
    page: Page, where: str, source: str, seams: list[int], step: bool
) -> None:
    html = page.evaluate(SEAM, [source, seams, step])
    assert [html] == read_htmls(page, [to_html(source, seams)])
    assert 'class="seam"' in html


# Blocks that were already shown do not change

SETTLE = """async () => {
    const { MarkdownStream } = await import("/js/markdown/stream.js");
    const root = document.querySelector("main");
    const settled = [];
    const stream = new MarkdownStream(root, (blocks) => settled.push(...blocks));
    stream.append("# One\\n\\nTwo **bold**\\n\\n```js\\nx\\n```\\n\\n- a\\n");
    stream.flush();
    const early = [...root.children];
    const touched = [];
    new MutationObserver((records) => touched.push(...records)).observe(root, {
        subtree: true, childList: true, characterData: true, attributes: true,
    });
    for (const delta of ["- b\\n", "\\nThree", " and\\n\\n", "four\\n\\nfive"]) {
        stream.append(delta);
        stream.flush();
    }
    stream.finish();
    await Promise.resolve();
    return {
        same: early.every((block, i) => root.children[i] === block),
        touched: touched.some(({ target }) => early.slice(0, 3).some((b) => b.contains(target))),
        settled: settled.map((block) => block.tagName),
    };
}"""


def test_finished_blocks_never_change_again(page: Page) -> None:
    result: dict[str, Any] = page.evaluate(SETTLE)
    assert result["same"]
    assert not result["touched"]
    assert result["settled"] == ["H2", "P", "PRE", "UL", "P", "P", "P"]


ADOPT = """async ([html, source]) => {
    const { MarkdownStream } = await import("/js/markdown/stream.js");
    const { trustHtml } = await import("/js/trusted-html.js");
    const root = document.querySelector("main");
    root.innerHTML = trustHtml(html);
    const before = [...root.children];
    const stream = new MarkdownStream(root);
    stream.append(source);
    stream.flush();
    stream.append(" more");
    stream.finish();
    return before.map((block, i) => root.children[i] === block);
}"""


def test_html_from_the_server_is_adopted_unchanged(page: Page) -> None:
    source = next(c["markdown"] for c in CASES["agree"] if c["name"] == "a long answer")
    are_same_nodes = page.evaluate(ADOPT, [f"\n  {to_html(source)}\n", source])
    assert len(are_same_nodes) > 8
    assert all(are_same_nodes)


RENDER_IN_SLICES = """async (texts) => {
    const { MarkdownStream } = await import("/js/markdown/stream.js");
    const roots = texts.map(() => document.createElement("div"));
    const streams = roots.map((root) => new MarkdownStream(root));
    for (const [i, stream] of streams.entries()) {
        stream.append(texts[i].slice(0, texts[i].length / 2));
        stream.flush();
        stream.append(texts[i].slice(texts[i].length / 2));
    }
    const readHtml = () => roots.map((root) => root.innerHTML);
    const build = (streams) => streams.filter((stream) => !stream.prepare(() => true));
    let [steps, writes, untouched] = [0, 0, true];
    for (let left = streams; left.length; writes++) {
        const before = readHtml();
        for (let building = left; building.length; steps++) building = build(building);
        untouched &&= String(readHtml()) === String(before);
        for (const stream of left) stream.write();
        left = left.filter((stream) => !stream.isFullyShown);
    }
    const written = readHtml();
    for (const stream of streams) stream.append("more");
    for (let building = streams; building.length; ) building = build(building);
    for (const stream of streams) stream.append(" and more");
    for (const stream of streams) stream.write();
    const all = streams.map((stream) => stream.isFullyShown);
    const then = readHtml();
    for (const stream of streams) stream.finish();
    return { steps, writes, untouched, written, all, then, finished: readHtml() };
}"""


def test_a_text_built_in_slices_equals_a_text_built_at_once(page: Page) -> None:
    """No part of the text is shown before the complete text."""
    cases = [case["markdown"] for case in CASES["agree"] if "]:" not in case["markdown"]]
    texts = [
        "\n\n".join([f"[kelp]: https://example.com/{n}", *cases, "**See [kelp].** And "])
        for n in range(2)
    ]
    result = page.evaluate(RENDER_IN_SLICES, texts)
    assert result["steps"] > 50
    assert result["writes"] > 2, "what comes very fast is shown bit by bit"
    assert result["untouched"]
    assert result["written"] == render(page, texts)
    assert result["all"] == [False, False]
    assert result["then"] == render(page, [text + "more" for text in texts])
    assert result["finished"] == render(page, [text + "more and more" for text in texts])


def test_a_very_fast_text_is_split_between_characters(page: Page) -> None:
    texts = page.evaluate(
        """async (text) => {
        const { MarkdownStream } = await import("/js/markdown/stream.js");
        const stream = new MarkdownStream(document.createElement("div"));
        stream.flush();
        stream.append(text);
        const texts = [];
        while (!stream.isFullyShown) {
            stream.prepare(() => false);
            stream.write();
            texts.push(stream.root.textContent);
        }
        return texts;
    }""",
        "x" + "\N{OCTOPUS}" * 5_000,
    )
    assert len(texts) > 5
    assert all(text == "x" + "\N{OCTOPUS}" * (len(text) - 1) for text in texts)
    assert len(texts[-1]) == 5_001


# Attacks

INSPECT = """async ([sources, served, allowed, tags]) => {
    const { MarkdownStream } = await import("/js/markdown/stream.js");
    const { trustHtml } = await import("/js/trusted-html.js");
    const bad = [];
    let hits = 0;
    window.__hit = () => { hits += 1; };
    const main = document.querySelector("main");
    const check = (root, source, how) => {
        for (const element of root.querySelectorAll("*")) {
            const tag = element.localName;
            if (!tags.includes(tag)) bad.push([how, source, tag]);
            for (const { name, value } of element.attributes) {
                const fine = (allowed[tag] ?? []).includes(name)
                    && (name !== "href" || /^(https?:\\/\\/|mailto:|tel:)/.test(value));
                if (!fine) bad.push([how, source, `${tag} ${name}=${value}`]);
            }
        }
        root.remove();
    };
    const place = () => main.appendChild(document.createElement("div"));
    for (const [i, source] of sources.entries()) {
        const whole = place();
        const complete = new MarkdownStream(whole);
        complete.append(source);
        complete.finish();
        check(whole, source, "whole");
        const live = place();
        const stream = new MarkdownStream(live);
        for (const character of source) {
            stream.append(character);
            stream.flush();
        }
        stream.finish();
        check(live, source, "live");
        const history = place();
        history.innerHTML = trustHtml(served[i]);
        check(history, source, "server");
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { bad, hits };
}"""


def test_no_attack_runs_or_loads_anything(page: Page, site: str) -> None:
    assert len(set(ATTACKS)) >= 100
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.on("dialog", lambda dialog: urls.append(dialog.message))
    allowed = {tag: sorted(names) for tag, names in ALLOWED_ATTRIBUTES.items()}
    served = [str(to_html(attack)) for attack in ATTACKS]
    result = page.evaluate(INSPECT, [ATTACKS, served, allowed, sorted(ALLOWED_TAGS)])
    assert result == {"bad": [], "hits": 0}
    ours = (f"{site}/js/", f"{site}/vendor/", f"{site}/img/favicon.svg")
    assert [url for url in urls if not url.startswith(ours)] == []


def test_a_successful_attack_would_be_noticed(page: Page, page_errors: list[str]) -> None:
    """The inspection detects the first attacks if they are raw HTML."""
    allowed = {tag: sorted(names) for tag, names in ALLOWED_ATTRIBUTES.items()}
    with page.expect_console_message(lambda message: "404" in message.text):  # there is no x
        result = page.evaluate(INSPECT, [[""], ["<img src=x onerror=__hit()>"], allowed, []])
    assert result["bad"] == [
        ["server", "", "img"],
        ["server", "", "img src=x"],
        ["server", "", "img onerror=__hit()"],
    ]
    page_errors.clear()


def build_nasty_texts() -> list[str]:
    """Return texts that cost too much, with an ordinary end. No two have the same length."""
    row = "|" * 101 + "\n|" + "-|" * 100 + "\n" + "|\n" * 100
    items = "".join(f"- {n} *a*\n" for n in range(4_000))
    starts = [
        *("> " * 2_000 + "a", "> - " * 1_000 + "a", "- " * 60 + "a", row, items),
        *("a\n" * 15_000, "# a\n\n" * 6_000, "```\n" + "*a* [b]\n" * 3_000 + "```\n" + items),
        *(opener * 3_000 for opener in ("[", "![", "*a ", "`a", "<", "$a ", "a](b", "\\(", "🐙*")),
        "http://a/" + ")" * 20_000,
        "- ```\n  ```\n" + items,
    ]
    return [f"{start}\n\nThe **end**, and 🐙.\n" for start in starts]


def test_too_expensive_text_is_plain_on_both_sides(page: Page) -> None:
    texts = build_nasty_texts()
    served = read_htmls(page, [to_html(text) for text in texts])
    assert render(page, texts) == served
    assert all("plain" in html for html in served[:4])


FEED = """async ([texts, size]) => {
    const { MarkdownStream } = await import("/js/markdown/stream.js");
    return texts.map((text) => {
        const root = document.createElement("div");
        const stream = new MarkdownStream(root);
        stream.flush();
        for (let at = 0; at < text.length; at += size) {
            stream.append(text.slice(at, at + size));
            while (!stream.prepare(() => true));
            stream.write();
        }
        stream.finish();
        return root.innerHTML;
    });
}"""


def test_too_expensive_text_ends_alike_however_it_arrives(page: Page) -> None:
    texts = build_nasty_texts()
    assert page.evaluate(FEED, [texts, 4_001]) == render(page, texts)


UNREADABLE = """async ([text, isAlways, name = "build"]) => {
    const { MarkdownStream } = await import("/js/markdown/stream.js");
    const root = document.createElement("div");
    const stream = new MarkdownStream(root);
    const build = stream[name];
    let builds = 0;
    stream[name] = function* (end) {
        if (++builds === 1 || isAlways) throw new RangeError("too deep");
        return yield* build.call(stream, end);
    };
    stream.append(text);
    const messages = [];
    for (const [show, ...given] of [["flush"], ["prepareFinish", () => true], ["finish"]]) {
        try {
            stream[show](...given);
        } catch ({ message }) {
            messages.push(message);
        }
    }
    return messages.length ? messages : root.textContent;
}"""


def test_text_that_cannot_be_built_is_shown_plain_or_fails(page: Page) -> None:
    assert page.evaluate(UNREADABLE, ["One *two*", False]).endswith("One *two*")
    assert page.evaluate(UNREADABLE, ["One *two*", True]) == ["too deep"] * 2
    late = ["[a]\n\n[a]: /b", True, "rebuild"]
    assert page.evaluate(UNREADABLE, late) == ["too deep"] * 2


EDIT = """async ([rule, part]) => {
    const { editRule } = await import("/js/markdown/grammar.js");
    return editRule("paragraph", new RegExp(rule, "u"), [[part, "(?!)"]]).source;
}"""


def test_a_rule_of_the_grammar_is_edited_or_the_page_says_that_it_has_changed(page: Page) -> None:
    assert page.evaluate(EDIT, ["a|html|b", "html"]) == "a|(?!)|b"
    with pytest.raises(Error, match="marked's rule “paragraph” has changed: html does not match"):
        page.evaluate(EDIT, ["a|b", "html"])
