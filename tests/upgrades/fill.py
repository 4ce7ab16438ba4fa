"""Write the databases of this folder: a small installation of an older commit, whose processes were
killed while replies were running.

    python -m tests.upgrades.fill 41594f4

The processes run the code of that commit. The files `41594f4.sqlite.sql`,
`41594f4.postgresql.sql` and `41594f4.json` are written; the last one holds the secrets of the
sample, the ids of its rows and what its pages showed. `test_upgrades.py` loads and
migrates them, and lets the replies continue.
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

FOLDER = Path(__file__).resolve().parent
SAMPLE_KEY = "sk-upgrade-0123456789abcdef"
SAMPLE_SECRETS = {
    "SECRET_KEY": "a-sample-of-the-upgrade-tests-and-of-nothing-else",
    "MASTER_KEYS": f"sample:{base64.b64encode(bytes(range(7, 39))).decode()}",
}
TEXT_BEFORE = "High tide comes hours after the moon has passed overhead, "
DRAFT_TEXT = "A question that was typed before its writer signed in"
ADDED_MODEL, ADDED_LABEL = "sober-1", "Sober, by its administrator"
"""A model that the administrator added. It is set to take a temperature; the provider refuses
it."""
REPLY_SETTINGS = {
    "max_tokens": "345",
    "system_prompt": "Answer as a sailor.",
    "reasoning_effort": "low",
}
TITLE_PROMPT = "Write a title"


def main(commit: str) -> None:
    sample: dict[str, Any] = {
        "version": commit,
        "secrets": SAMPLE_SECRETS,
        "password": PASSWORD,
        "key": SAMPLE_KEY,
    }
    with checkout(commit) as root, Fake.spawn() as fake, postgres() as server:
        for kind in ("embedded", "stack"):
            environment = {
                **SAMPLE_SECRETS,
                "OPENAI_BASE_URL": fake.openai,
                "FOLD_AFTER_SECONDS": "2",
                "GENERATE_TITLES": "on",
            }
            fake.reset()
            with OlderDeployment(
                kind, root, environment=environment, database_server=server
            ) as deployment:
                sample[kind] = fill_deployment(deployment, fake)
                dump_database(kind, commit, deployment)
    (FOLDER / f"{commit}.json").write_text(json.dumps(sample, indent=1, sort_keys=True) + "\n")


def fill_deployment(deployment: Deployment, fake: Fake) -> dict[str, Any]:
    """Let three people use the deployment, kill all processes, and describe its state."""
    fake.script(Behaviour.of("A title by a model", prompt=TITLE_PROMPT, times=None))
    owner, colleague = deployment.person("owner"), deployment.person("colleague")
    for person in (owner, colleague):
        person.add_key("openai", SAMPLE_KEY)
    add_model(owner)
    folded = start_reply(deployment, owner, "Plan a quiet day. Be brief.")
    conversations = {
        "folded": folded,
        "branched": start_reply_with_versions(deployment, owner),
        "stopped": stop_reply(deployment, owner),
        "continued": continue_reply(deployment, owner, fake),
        "failed": fail_reply(deployment, owner, fake, ErrorAnswer(400, {"error": {}})),
        "interrupted": cut_reply(deployment, owner, fake),
        "refused": refuse_parameter(deployment, owner, fake),
        "deleted": start_reply(deployment, owner, "Forget this one. Be brief."),
    }
    post_action(owner, conversations["branched"], "pin", pinned="yes")
    post_action(owner, folded, "title", title="A quiet day")
    post_action(owner, conversations["deleted"], "deletion")
    until(lambda: is_folded(deployment, folded), within=120, what="the first reply is folded")
    cookie = leave_draft(deployment)
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


def start_reply(deployment: Deployment, owner: Person, text: str, **fields: str) -> str:
    """Ask in a new conversation, wait for the end of the reply, and return the conversation's
    id."""
    stream = deployment.send(owner, text, **fields)
    until(lambda: deployment.rows.stream(stream)["ended_at"], what=f"the reply to {text}")
    return find_conversation(deployment, stream)


def find_conversation(deployment: Deployment, stream: UUID) -> str:
    return str(deployment.rows.stream(stream)["lane"])


def find_stream(deployment: Deployment, conversation: str) -> str:
    (row,) = deployment.rows.of("streaming_stream", lane=conversation)
    return str(row["uuid"])


def wait_until_idle(deployment: Deployment) -> None:
    running = "SELECT id FROM streaming_stream WHERE state IN ('queued', 'running')"
    until(lambda: not deployment.rows.query(running), what="every reply has ended")


def post_action(owner: Person, conversation: str, action: str, **form: str) -> None:
    owner.post(f"/c/{conversation}/{action}/", form)


def is_folded(deployment: Deployment, conversation: str) -> bool:
    return not deployment.rows.chunks(find_stream(deployment, conversation))


def start_reply_with_versions(deployment: Deployment, owner: Person) -> str:
    """Edit the question, and regenerate the reply."""
    conversation = start_reply(deployment, owner, "Why do tides lag the moon? Be brief.")
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
    """Return the ids of the messages on a page, in their order."""
    return re.findall(r'<article[^>]* id="m-([0-9a-f-]{36})"', page)


def stop_reply(deployment: Deployment, owner: Person) -> str:
    stream = deployment.send(owner, "Tell me all of it.", model="demo")
    until(lambda: deployment.rows.text(stream), what="its first words")
    owner.post(f"/s/{stream}/stop/", {})
    return find_conversation(deployment, stream)


def continue_reply(deployment: Deployment, owner: Person, fake: Fake) -> str:
    """Stop a reply with reasoning, and continue it in a second stream after a seam."""
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
    return find_conversation(deployment, stream)


def fail_reply(
    deployment: Deployment, owner: Person, fake: Fake, error: ErrorAnswer, **fields: str
) -> str:
    fake.script(Behaviour(error=error))
    return start_reply(deployment, owner, "Is the sea salt?", model=MODEL, **fields)


def cut_reply(deployment: Deployment, owner: Person, fake: Fake) -> str:
    """Start a reply that its provider ends without the end marker."""
    fake.script(Behaviour.of("Half an answer", end_after=1))
    return start_reply(deployment, owner, "Is it only half?", model=MODEL)


def refuse_parameter(deployment: Deployment, owner: Person, fake: Fake) -> str:
    """Let the provider refuse the temperature of a model. The refusal is stored."""
    message = "Unsupported parameter: 'temperature' is not supported with this model."
    error = {"message": message, "param": "temperature", "code": "unsupported_parameter"}
    fake.script(
        Behaviour(error=ErrorAnswer(400, {"error": {"type": "invalid_request_error", **error}})),
        Behaviour.of("Without it."),
    )
    return start_reply(deployment, owner, "Be sober.", model=ADDED_MODEL, temperature="0.3")


def add_model(owner: Person) -> None:
    """Add a model as the first person, who is the administrator."""
    form = {"model_id": ADDED_MODEL, "provider": "openai", "label": ADDED_LABEL}
    owner.post("/admin/chat/modeloverride/add/", form | {"takes_temperature": "true"})


def leave_draft(deployment: Deployment) -> str:
    """Send a message as a visitor. Return the key of the session that holds the draft."""
    visitor = Person(deployment.base_url, "visitor")
    form = {"text": DRAFT_TEXT, "model": "demo-fast", "request_id": str(uuid4())}
    visitor.post("/c/", form)
    cookie = visitor.cookies["sessionid"]
    visitor.close()
    return cookie


def leave_unfinished(
    deployment: Deployment, owner: Person, colleague: Person, fake: Fake
) -> dict[str, str]:
    """Leave a running reply, a queued one, one that the provider stores, and an unwritten title."""
    fake.reset()
    fake.script(
        Behaviour.of("Never this.", prompt=TITLE_PROMPT, hold_after=(0,)),
        Behaviour.of("It has the length of a title."),
    )
    start_reply(deployment, owner, "What has no title yet?", model=MODEL)
    fake.wait_for("held")
    fake.script(Behaviour.of(TEXT_BEFORE, "and never this.", hold_after=(1,), times=2))
    running = deployment.send(owner, "Why is the tide late?", model=MODEL)
    until(lambda: deployment.rows.text(running) == TEXT_BEFORE, what="half of the reply is stored")
    lane = find_conversation(deployment, running)
    queued = deployment.send(owner, "And then?", conversation=lane, model=MODEL, **REPLY_SETTINGS)
    colleague.post("/settings/replies/", {"background_replies": "on"})
    stored = deployment.send(colleague, "Why is it late here?", model=MODEL)
    until(
        lambda: deployment.rows.text(stored) == TEXT_BEFORE,
        what="half of the other reply is stored",
    )
    (title,) = deployment.rows.of("streaming_stream", source="title", state="running")
    return {
        "running": str(running),
        "queued": str(queued),
        "stored": str(stored),
        "title": str(UUID(str(title["uuid"]))),
    }


def record_pages(deployment: Deployment, owner: Person, deleted: str) -> dict[str, Any]:
    """Describe how this version shows each branch of the owner's, by the last message of it."""
    pages = {}
    for row in deployment.rows.query(LAST_MESSAGES_QUERY, owner.email):
        message, conversation = UUID(str(row["id"])), UUID(str(row["conversation_id"]))
        if conversation != UUID(deleted):
            page = owner.get(f"/c/{conversation}/?leaf={message}").text
            pages[str(message)] = describe_page(page)
    return pages


LAST_MESSAGES_QUERY = """
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


def dump_database(kind: Kind, commit: str, deployment: Deployment) -> None:
    """Write the database as SQL, a statement a line where that is possible."""
    url = deployment.environment["DATABASE_URL"]
    if kind == "embedded":
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            text = "\n".join(database.iterdump())
    else:
        program = str(find_binaries() / "pg_dump")
        command = [program, "--inserts", "--no-owner", "--no-privileges", url]
        completed = subprocess.run(command, capture_output=True, text=True, check=True)
        text = "\n".join(read_statements(completed.stdout))
    name = {"embedded": "sqlite", "stack": "postgresql"}[kind]
    (FOLDER / f"{commit}.{name}.sql").write_text(text.strip() + "\n")


def read_statements(text: str) -> Iterator[str]:
    """Yield the lines without comments and without commands of psql."""
    for line in text.splitlines():
        if line and not line.startswith(("--", "\\")):
            yield line


if __name__ == "__main__":
    main(sys.argv[1])
