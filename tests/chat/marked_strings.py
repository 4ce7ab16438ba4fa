"""Finds words that did not pass through gettext, in pages, mails, templates and scripts.

Under the language of this module every translation is its own text in marks: ⟦Sign in⟧. Any Latin
words that are left outside of marks were not marked for translation.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser

from django.utils.translation import trans_real

LANGUAGE = "zz"
CONTEXT_SEPARATOR = "\x04"
SPOKEN_ATTRIBUTES = ("alt", "aria-label", "data-summary", "label", "placeholder", "title")
UNSPOKEN_TAGS = ("code", "kbd", "script", "style")

WORD = re.compile(r"[A-Za-z]{2,}")
TEXT = re.compile(r"[A-Z][a-z]| [a-z]")
"""Is in a sentence, and not in a code such as `no_key`."""
MARKED = re.compile(r"⟦[^⟦⟧]*⟧")
NO_WORD = re.compile(r"https?://\S+|\S+@\S+|%\(\w+\)s|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Addresses, placeholders and ids."""

TEMPLATE_COMMENT = re.compile(r"{#.*?#}|{% comment %}.*?{% endcomment %}", re.DOTALL)
TEMPLATE_BLOCK = re.compile(r"{% blocktranslate\b.*?{% endblocktranslate %}", re.DOTALL)
TEMPLATE_TAG = re.compile(r"{%.*?%}|{{.*?}}", re.DOTALL)
TAG_ARGUMENT = re.compile(r"""\blabel=["']""")
SCRIPT_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\\n]|\\.)*`', re.DOTALL)
GETTEXT_CALL = re.compile(r'gettext\(\s*(?:"[^"]*",\s*)?$')
SENTENCE = re.compile(r"[A-Z][a-z]+|.*[A-Za-z]{2,} [A-Za-z]{2,}.*[.…]$")
SPOKEN_CALLS = ("ValidationError", "ReplyRejected", "error", "info", "success", "warning")
SPOKEN_KEYWORDS = ("description", "help_text", "label", "verbose_name", "verbose_name_plural")
ENGINE_SENTENCE = re.compile(r"(?:[A-Z]|.*\{).* [a-z]{2}")
SILENT_CALLS = re.compile(
    r"gettext_noop|logger\.\w+|(?:re\.)?compile\w*|(?:Lookup|Type|Value)Error"
)
"""Calls in the engine whose texts are marked, or are for programmers and administrators."""
UNSTORED_TEXTS = (
    "The connection is closed.",  # a detail, as are the next two
    "The reply ended in an error.",
    "The response failed.",
    "The demo",  # a name
    "Your reply above was cut off",  # for models
)
KEY_NAMES = re.compile(r"AltGraph|Arrow(?:Up|Down)|Dead|Enter|Escape|Key")


class MarkingTranslation(trans_real.DjangoTranslation):
    """Translates a text to itself, in marks."""

    def __init__(self) -> None:
        """Read no catalogue."""

    def gettext(self, message: str) -> str:
        return f"⟦{message.rpartition(CONTEXT_SEPARATOR)[2]}⟧"

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        return self.gettext(singular if number == 1 else plural)

    def to_language(self) -> str:
        return LANGUAGE

    language = to_language


def find_unmarked(text: str, names: Iterable[str] = ()) -> list[str]:
    """Return the lines of a plain text with words outside of marks. Names need no translation."""
    text = NO_WORD.sub("", text)
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "")
    while (outside := MARKED.sub("\n", text)) != text:
        text = outside
    return [line.strip() for line in text.split("\n") if WORD.search(line)]


class SpokenText(HTMLParser):
    """The texts that a page shows or lets a screen reader say. Marks may span several tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.attributes: list[str] = []
        self._silent: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += " "
        self.attributes += [value or "" for name, value in attrs if name in SPOKEN_ATTRIBUTES]
        if tag in UNSPOKEN_TAGS:
            self._silent.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.text += " "
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text += data


def find_unmarked_in_html(html: str, names: Iterable[str] = ()) -> list[str]:
    names = list(names)
    spoken = SpokenText(html)
    texts = [spoken.text, *spoken.attributes]
    return [found for text in texts for found in find_unmarked(text, names)]


def find_unmarked_in_template(source: str, names: Iterable[str] = ()) -> list[str]:
    """Return the words of a template outside of its tags, and the labels that its tags pass on."""
    source = TEMPLATE_COMMENT.sub("", source)
    source = TEMPLATE_BLOCK.sub("", source)
    labels = [tag for tag in TEMPLATE_TAG.findall(source) if TAG_ARGUMENT.search(tag)]
    return labels + find_unmarked_in_html(TEMPLATE_TAG.sub("", source), names)


def find_unmarked_in_script(source: str) -> Iterator[str]:
    """Yield the strings of a script that look like a sentence, outside of calls of gettext."""
    for found in SCRIPT_STRING.finditer(source):
        literal = found[0]
        if literal[0] == "/" or GETTEXT_CALL.search(source, 0, found.start()):
            continue
        text = literal[1:-1]
        if SENTENCE.match(text) and not KEY_NAMES.fullmatch(text):
            yield text


def find_unmarked_in_python(source: str) -> Iterator[str]:
    """Yield literals that are given as they are to a form, an error, a notice or a model."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        function = call.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        is_log = ast.unparse(function).startswith("logger.")
        given = call.args if name in SPOKEN_CALLS and not is_log else []
        given += [word.value for word in call.keywords if word.arg in SPOKEN_KEYWORDS]
        for value in given:
            if isinstance(value, ast.JoinedStr | ast.Constant):
                text = ast.unparse(value)
                if TEXT.search(text) and isinstance(getattr(value, "value", ""), str):
                    yield text


def find_unmarked_in_engine(source: str) -> Iterator[str]:
    """Yield texts of the engine that look like a sentence or note for people, outside of marks."""
    tree = ast.parse(source)
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        is_silent = isinstance(node, ast.Call) and SILENT_CALLS.fullmatch(ast.unparse(node.func))
        if is_silent or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            skipped.update(ast.walk(node))
        elif isinstance(node, ast.JoinedStr):
            skipped.update(part for part in ast.walk(node) if part is not node)
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr | ast.Constant) and node not in skipped:
            text = _join_parts(node)
            if ENGINE_SENTENCE.match(text) and not text.startswith(UNSTORED_TEXTS):
                yield text


def _join_parts(node: ast.JoinedStr | ast.Constant) -> str:
    """A string, with {} for each of its values."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)
