"""A deployment for stock clients, whose owner has keys of all providers and a token."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from tools.deployment.deployment import Deployment, Server
from tools.fake_provider import Behaviour, Fake, Piece
from tools.services import Postgres
from tools.waiting import until

MODELS = {
    "openai": "openai/gpt-5.5",
    "anthropic": "anthropic/claude-sonnet-4-6",
    "google": "google/gemini-3.8-flash",
}
CONTINUATION = "cut off by a technical fault"
"""A part of the prompt of a second attempt."""
UNLIMITED = {
    "MAX_MESSAGES_PER_MINUTE": "1000000",
    "MAX_TOKEN_REQUESTS_PER_MINUTE": "1000000",
    "MAX_UNFINISHED_REPLIES_PER_USER": "1000",
}


def open_deployment(server: Server, database_server: Postgres, provider: Fake) -> Deployment:
    """Return a deployment, to be entered, whose providers are the fakes."""
    environment = UNLIMITED | {
        "OPENAI_BASE_URL": provider.openai,
        "ANTHROPIC_BASE_URL": provider.anthropic,
        "GOOGLE_GEMINI_BASE_URL": provider.google,
    }
    return Deployment(
        "stack",
        server=server,
        workers=2,
        environment=environment,
        database_server=database_server,
    )


def create_owner_token(deployment: Deployment, scope: str) -> str:
    """Give the owner keys of all providers, and return a token with this right. Once for a
    deployment: a person may have fifty."""
    person = deployment.person("owner")
    for provider in MODELS:
        person.add_key(provider)
    return person.create_token(scope)


class ClientSite:
    """A deployment for one test. `clients` are closed with it."""

    def __init__(self, deployment: Deployment, fake: Fake, token: str) -> None:
        self.deployment, self.fake, self.token = deployment, fake, token
        self.clients = ExitStack()

    def close(self) -> None:
        self.clients.close()

    def script(self, question: str, *pieces: str, **fields: Any) -> str:
        """Script the answer to a question, and return its whole text."""
        behaviour = Behaviour(tuple(map(Piece, pieces)), prompt=question, **fields)
        self.fake.script(behaviour)
        return behaviour.text

    def read_answer(self, question: str) -> dict[str, Any]:
        """The answer to a question, as the database has it, with its stream."""
        [asked] = self.deployment.rows.query(
            "SELECT id FROM chat_message WHERE role = 'user' AND content = %s", question
        )
        [answer] = self.deployment.rows.query(
            "SELECT m.content, s.uuid, s.state, s.epoch FROM chat_message m "
            "JOIN streaming_stream s ON s.id = m.stream_id WHERE m.parent_id = %s",
            asked["id"],
        )
        return dict(answer)

    def wait_for_completion(self, question: str) -> dict[str, Any]:
        def read_completed() -> dict[str, Any] | None:
            answer = self.read_answer(question)
            return answer if answer["state"] == "completed" else None

        answer = until(read_completed, what="the reply is complete")
        assert answer is not None
        return answer
