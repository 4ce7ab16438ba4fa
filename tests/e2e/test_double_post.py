"""A double click, an unreliable network, a back button: one question, one answer, one bill."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID, uuid4

import httpx2

from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.fake_provider import Behaviour, Fake
from tools.waiting import until

MODEL = "gpt-5.5"


def test_the_same_post_twice_at_once_is_one_reply(deployment: Deployment, fake: Fake) -> None:
    person = deployment.person("reader")
    person.add_key("openai")
    fake.script(Behaviour.of("Once.", times=None))
    for number in range(10):
        text, request = f"Only once, {number}.", uuid4()
        leads_to = post_twice_at_once(person, text, request)
        stream = deployment.rows.one("streaming_stream", request_id=request)["uuid"]
        until(partial(is_completed, deployment, stream))
        assert len(leads_to) == 1
        assert len(deployment.rows.of("chat_message", content=text)) == 1
        assert [r.prompt for r in fake.requests()].count(text) == 1
    answers = deployment.rows.of("chat_message", content="Once.")
    assert len(answers) == 10


def is_completed(deployment: Deployment, stream: str) -> bool:
    return bool(deployment.rows.stream(stream)["state"] == "completed")


def post_twice_at_once(person: Person, text: str, request: UUID) -> set[str]:
    """Post the text from two connections at the same time. Return the pages that the responses lead
    to."""
    form = {"text": text, "model": MODEL, "request_id": str(request)}
    cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    headers = {"X-CSRFToken": person.csrf_token(), "Cookie": cookies}

    def post() -> str:
        answer = httpx2.post(person.base_url + "/c/", data=form, headers=headers, timeout=30)
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])

    with ThreadPoolExecutor(2) as threads:
        return {future.result() for future in [threads.submit(post) for _ in range(2)]}
