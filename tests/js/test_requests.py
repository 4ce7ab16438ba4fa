"""Every request of our scripts passes through `http.js`, which sends the token and the account as
they are at that moment."""

import re
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "static" / "js"
WAYS_TO_SEND = r"\bfetch\(|XMLHttpRequest|sendBeacon|EventSource|htmx\.ajax\(|\.submit\(\)"
"""`htmx.ajax` and EventSource send no form: the first is called for GET alone, see below."""
POSTING = {
    "composer/draft-requests.js": {"a draft"},
    "composer/outbox.js": {"a message", "a stop"},
    "composer/unsaved-texts.js": {"the drafts before a sign-out"},
    "conversation/message-actions.js": {"an edit", "another version", "a continuation"},
    "sidebar/conversation-menu.js": {"a title", "a pin", "a deletion", "its undo"},
    "sidebar/sidebar.js": {"a conversation that was read"},
}
"""The scripts that post, and what. tests/e2e/test_renewed_session.py does all of it."""


def find_scripts(pattern: str) -> set[str]:
    scripts = {path.relative_to(SCRIPTS).as_posix(): path for path in SCRIPTS.rglob("*.js")}
    return {name for name, path in scripts.items() if re.search(pattern, path.read_text())}


def test_only_one_script_sends_requests_itself() -> None:
    assert find_scripts(WAYS_TO_SEND) <= {"http.js", "sidebar/sidebar.js", "live/event-reader.js"}
    assert re.findall(r"\.ajax\(\"(\w+)\"", (SCRIPTS / "sidebar/sidebar.js").read_text()) == ["GET"]


def test_only_one_script_says_post() -> None:
    assert find_scripts(r"[\"']POST[\"']|hx-post") == {"http.js"}


def test_the_scripts_that_post_are_listed() -> None:
    assert find_scripts(r"\bpostForm\(") - {"http.js"} == set(POSTING)


def test_only_one_script_reads_the_token() -> None:
    """Others would keep it, and it changes with every sign-in."""
    assert find_scripts(r"csrf|TOKEN_FIELD") <= {"http.js", "forms.js"}
