"""The most important test: text before the cut + replay after it = the journal's text, each index
once, in order; through real sockets, against a running worker, in every deployment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.deployment.protocol_client import Reader
from tools.fake_provider import Behaviour, Fake, Piece

pytestmark = pytest.mark.page

MODEL = "gpt-5.5"

DELTAS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    min_size=1,
    max_size=30,
)


@pytest.fixture(scope="module")
def reader(deployment: Deployment) -> Person:
    person = deployment.person("reader")
    person.add_key("openai")
    return person


def start_reply(deployment: Deployment, person: Person, behaviour: Behaviour, fake: Fake) -> Any:
    fake.script(behaviour)
    return deployment.send(person, "Tell me.", model=MODEL)


def test_a_connection_cut_after_every_chunk_of_a_running_reply_loses_nothing(
    deployment: Deployment, reader: Person, fake: Fake
) -> None:
    words = [f"word{n} " for n in range(120)]
    behaviour = Behaviour.of(*words, delay=0.03)
    stream = start_reply(deployment, reader, behaviour, fake)
    live = Reader(reader, stream)
    while live.end is None:
        live.read(chunks=1)
    chunks = deployment.rows.chunks(stream)
    assert live.indexes == [chunk["index"] for chunk in chunks] == list(range(len(chunks)))
    assert live.text == deployment.rows.text(stream) == behaviour.text
    assert live.sockets > 20, "the reply was over before it could be cut"


def test_every_cursor_of_a_reply_replays_the_rest_of_it(
    deployment: Deployment, reader: Person, fake: Fake
) -> None:
    words = [f"{n}, " for n in range(40)]
    stream = start_reply(deployment, reader, Behaviour.of(*words, delay=0.02), fake)
    whole = Reader(reader, stream).read()
    chunks = deployment.rows.chunks(stream)
    for cut in range(-1, len(chunks)):
        before = "".join(chunk["delta"] for chunk in chunks[: cut + 1])
        after = Reader(reader, stream, text=before, cursor=cut).read()
        assert after.text == whole.text
        assert after.indexes == list(range(cut + 1, len(chunks)))


@given(deltas=DELTAS, cuts=st.lists(st.integers(1, 5), max_size=8))
@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_text_survives_any_cut(
    deployment: Deployment, reader: Person, fake: Fake, deltas: list[str], cuts: list[int]
) -> None:
    behaviour = Behaviour(tuple(Piece(delta) for delta in deltas), delay=0.005)
    stream = start_reply(deployment, reader, behaviour, fake)
    client = Reader(reader, stream)
    for chunks in cuts:
        if client.end is None:
            client.read(chunks=chunks)
    client.read_to_the_end()
    assert client.text == deployment.rows.text(stream) == behaviour.text
    assert client.indexes == list(range(len(deployment.rows.chunks(stream))))
