"""Write the databases of this folder: a small installation of an older commit, killed in the
middle of its work.

    python -m tests.upgrades.fill 41594f4

The processes run the code of that commit. The files `41594f4.sqlite.sql`,
`41594f4.postgresql.sql` and `41594f4.json` are written; the last one holds the secrets of the
sample, the ids of its rows and what its pages showed. `test_upgrades.py` loads them, migrates and
goes on.
"""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from tests.e2e.replies import MODEL
from tests.upgrades.checkout import OlderDeployment, checkout
from tools.deployment.deployment import Deployment, Kind
from tools.deployment.http_user import PASSWORD, Person
from tools.fake_provider import Behaviour, ErrorAnswer, Fake
from tools.fake_provider.behaviour import Piece
from tools.services.postgresql import find_binaries, postgres
from tools.waiting import until

HERE = Path(__file__).resolve().parent
KEY = "sk-upgrade-0123456789abcdef"
SECRETS = {
    "SECRET_KEY": "a-sample-of-the-upgrade-tests-and-of-nothing-else",
    "MASTER_KEYS": f"sample:{base64.b64encode(bytes(range(7, 39))).decode()}",
}
BEFORE = "High tide comes hours after the moon has passed overhead, "
DRAFT = "A question that was typed before its writer signed in"
ADDED_MODEL, LABEL = "sober-1", "Sober, by its administrator"
"""A model of the administrator's own. It is said to take a temperature; the provider refuses it."""
SETTINGS = {"max_tokens": "345", "system_prompt": "Answer as a sailor.", "reasoning_effort": "low"}
TITLE_PROMPT = "Write a title"


def main(commit: str) -> None:
    sample: dict[str, Any] = {
        "version": commit,
        "secrets": SECRETS,
        "password": PASSWORD,
        "key": KEY,
    }
    with checkout(commit) as root, Fake.spawn() as fake, postgres() as server:
        for kind in ("embedded", "stack"):
            environment = {
                **SECRETS,
                "OPENAI_BASE_URL": fake.openai,
                "FOLD_AFTER": "2",
                "TITLES": "on",
            }
            fake.reset()
            with OlderDeployment(
                kind, root, environment=environment, database_server=server
            ) as deployment:
                sample[kind] = fill(deployment, fake)
                dump(kind, commit, deployment)
    (HERE / f"{commit}.json").write_text(json.dumps(sample, indent=1, sort_keys=True) + "\n")


def fill(deployment: Deployment, fake: Fake) -> dict[str, Any]:
    """Let three people use it, end every process by force, and return what was there."""
    fake.script(Behaviour.of("A title by a model", prompt=TITLE_PROMPT, times=None))
    owner, colleague = deployment.person("owner"), deployment.person("colleague")
    for person in (owner, colleague):
        person.add_key("openai", KEY)
    add_a_model(owner)
    folded = ask(deployment, owner, "Plan a quiet day. Be brief.")
    conversations = {
        "folded": folded,
        "branched": ask_with_versions(deployment, owner),
        "stopped": stop_a_reply(deployment, owner),
        "continued": continue_a_reply(deployment, owner, fake),
        "failed": break_a_reply(deployment, owner, fake, ErrorAnswer(400, {"error": {}})),
        "interrupted": cut_a_reply(deployment, owner, fake),
        "refused": refuse_a_parameter(deployment, owner, fake),
        "deleted": ask(deployment, owner, "Forget this one. Be brief."),
    }
    change(owner, conversations["branched"], "pin", pinned="yes")
    change(owner, folded, "title", title="A quiet day")
    change(owner, conversations["deleted"], "deletion")
    until(lambda: is_folded(deployment, folded), within=120, what="the first reply is folded")
    cookie = leave_a_draft(deployment)
    unfinished = leave_unfinished(deployment, owner, colleague, fake)
    pages = record_pages(deployment, owner, conversations["deleted"])
    sessions = {person.name: person.cookies["sessionid"] for person in (owner, colleague)}
    for program in deployment.programs:
        program.kill()
    return {
        "conversations": conversations,
        "unfinished": unfinished,
        "pages": pages,
        "sessions": sessions | {"visitor": cookie},
    }


def ask(deployment: Deployment, owner: Person, text: str, **fields: str) -> str:
    """Ask in a new conversation, wait for the end of the reply, and return the conversation's
    id."""
    stream = deployment.send(owner, text, **fields)
    until(lambda: deployment.rows.stream(stream)["ended_at"], what=f"the reply to {text}")
    return conversation_of(deployment, stream)


def conversation_of(deployment: Deployment, stream: UUID) -> str:
    return str(deployment.rows.stream(stream)["lane"])


def stream_of(deployment: Deployment, conversation: str) -> str:
    (row,) = deployment.rows.of("streaming_stream", lane=conversation)
    return str(row["uuid"])


def wait_until_idle(deployment: Deployment) -> None:
    running = "SELECT id FROM streaming_stream WHERE state IN ('queued', 'running')"
    until(lambda: not deployment.rows.query(running), what="every reply has ended")


def change(owner: Person, conversation: str, action: str, **form: str) -> None:
    owner.post(f"/c/{conversation}/{action}/", form)


def is_folded(deployment: Deployment, conversation: str) -> bool:
    return not deployment.rows.chunks(stream_of(deployment, conversation))


def ask_with_versions(deployment: Deployment, owner: Person) -> str:
    """Edit the question, and regenerate the reply."""
    conversation = ask(deployment, owner, "Why do tides lag the moon? Be brief.")
    page = owner.get(f"/c/{conversation}/").text
    question, answer = find_messages(page)[:2]
    for message, fields in (
        (question, {"text": "In other words: why? Be brief.", "model": "demo-fast"}),
        (answer, {"model": "demo-fast"}),
    ):
        owner.post(f"/m/{message}/versions/", {"request_id": str(uuid4()), **fields})
        wait_until_idle(deployment)
    return conversation


def find_messages(page: str) -> list[str]:
    """The messages on a page, in the order in which they are shown."""
    return re.findall(r'<article[^>]* id="m-([0-9a-f-]{36})"', page)


def stop_a_reply(deployment: Deployment, owner: Person) -> str:
    stream = deployment.send(owner, "Tell me all of it.", model="demo")
    until(lambda: deployment.rows.text(stream), what="its first words")
    owner.post(f"/s/{stream}/stop/", {})
    return conversation_of(deployment, stream)


def continue_a_reply(deployment: Deployment, owner: Person, fake: Fake) -> str:
    """A stopped reply with reasoning, and a second stream that continues it after a seam."""
    pieces = (Piece("First the moon, ", "reasoning"), Piece("then the sea.", "reasoning"))
    fake.script(
        Behaviour(pieces=(*pieces, Piece("The sea is heavy, ")), hold_after=(3,)),
        Behaviour.of("so it comes late."),
    )
    stream = deployment.send(owner, "Why is the sea late?", model=MODEL)
    until(lambda: deployment.rows.text(stream), what="its first words")
    owner.post(f"/s/{stream}/stop/", {})
    message = UUID(str(deployment.rows.message(stream)["id"]))
    owner.post(f"/m/{message}/continuations/", {"request_id": str(uuid4())})
    wait_until_idle(deployment)
    return conversation_of(deployment, stream)


def break_a_reply(
    deployment: Deployment, owner: Person, fake: Fake, error: ErrorAnswer, **fields: str
) -> str:
    fake.script(Behaviour(error=error))
    return ask(deployment, owner, "Is the sea salt?", model=MODEL, **fields)


def cut_a_reply(deployment: Deployment, owner: Person, fake: Fake) -> str:
    """A reply that its provider ended without the end marker."""
    fake.script(Behaviour.of("Half an answer", end_after=1))
    return ask(deployment, owner, "Is it only half?", model=MODEL)


def refuse_a_parameter(deployment: Deployment, owner: Person, fake: Fake) -> str:
    """The provider says that a model takes no temperature. That is stored."""
    message = "Unsupported parameter: 'temperature' is not supported with this model."
    error = {"message": message, "param": "temperature", "code": "unsupported_parameter"}
    fake.script(
        Behaviour(error=ErrorAnswer(400, {"error": {"type": "invalid_request_error", **error}})),
        Behaviour.of("Without it."),
    )
    return ask(deployment, owner, "Be sober.", model=ADDED_MODEL, temperature="0.3")


def add_a_model(owner: Person) -> None:
    """The first person is the administrator."""
    form = {"model_id": ADDED_MODEL, "provider": "openai", "label": LABEL}
    owner.post("/admin/chat/modeloverride/add/", form | {"takes_temperature": "true"})


def leave_a_draft(deployment: Deployment) -> str:
    """A visitor writes and is asked to sign in. Returns the cookie of the visitor's session."""
    visitor = Person(deployment.base_url, "visitor")
    form = {"text": DRAFT, "model": "demo-fast", "request_id": str(uuid4())}
    visitor.post("/c/", form)
    cookie = visitor.cookies["sessionid"]
    visitor.close()
    return cookie


def leave_unfinished(
    deployment: Deployment, owner: Person, colleague: Person, fake: Fake
) -> dict[str, str]:
    """One reply that runs, one that waits behind it, one of which the provider keeps a copy, and a
    title that has no word yet."""
    fake.reset()
    fake.script(
        Behaviour.of("Never this.", prompt=TITLE_PROMPT, hold_after=(0,)),
        Behaviour.of("It has the length of a title."),
    )
    ask(deployment, owner, "What has no title yet?", model=MODEL)
    fake.wait_for("held")
    fake.script(Behaviour.of(BEFORE, "and never this.", hold_after=(1,), times=2))
    running = deployment.send(owner, "Why is the tide late?", model=MODEL)
    until(lambda: deployment.rows.text(running) == BEFORE, what="half of the reply is stored")
    lane = conversation_of(deployment, running)
    queued = deployment.send(owner, "And then?", conversation=lane, model=MODEL, **SETTINGS)
    colleague.post("/settings/replies/", {"background_replies": "on"})
    stored = deployment.send(colleague, "Why is it late here?", model=MODEL)
    until(lambda: deployment.rows.text(stored) == BEFORE, what="half of the other reply is stored")
    (title,) = deployment.rows.of("streaming_stream", source="title", state="running")
    return {
        "running": str(running),
        "queued": str(queued),
        "stored": str(stored),
        "title": str(UUID(str(title["uuid"]))),
    }


def record_pages(deployment: Deployment, owner: Person, deleted: str) -> dict[str, Any]:
    """What the pages of this version show of each branch of the owner's, by its last message."""
    pages = {}
    for row in deployment.rows.query(LAST_MESSAGES, owner.email):
        message, conversation = UUID(str(row["id"])), UUID(str(row["conversation_id"]))
        if conversation != UUID(deleted):
            page = owner.get(f"/c/{conversation}/?leaf={message}").text
            pages[str(message)] = describe_page(page)
    return pages


LAST_MESSAGES = """
SELECT m.id, m.conversation_id FROM chat_message m
  JOIN chat_conversation c ON c.id = m.conversation_id
  JOIN accounts_user u ON u.id = c.user_id
 WHERE u.email = %s AND NOT EXISTS (SELECT 1 FROM chat_message n WHERE n.parent_id = m.id)
 ORDER BY m.id
"""


def describe_page(page: str) -> dict[str, list[str]]:
    """The messages of the branch that is shown, in their order, and the number of the version of
    each that has several."""
    return {"messages": find_messages(page), "versions": re.findall(r">\s*(\d+/\d+)\s*<", page)}


def dump(kind: Kind, commit: str, deployment: Deployment) -> None:
    """Write the database as SQL, a statement a line where that is possible."""
    url = deployment.environment["DATABASE_URL"]
    if kind == "embedded":
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            text = "\n".join(database.iterdump())
    else:
        program = str(find_binaries() / "pg_dump")
        command = [program, "--inserts", "--no-owner", "--no-privileges", url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        text = "\n".join(read_statements(done.stdout))
    name = {"embedded": "sqlite", "stack": "postgresql"}[kind]
    (HERE / f"{commit}.{name}.sql").write_text(text.strip() + "\n")


def read_statements(text: str) -> Iterator[str]:
    """Without comments, and without what only psql understands."""
    for line in text.splitlines():
        if line and not line.startswith(("--", "\\")):
            yield line


if __name__ == "__main__":
    main(sys.argv[1])
