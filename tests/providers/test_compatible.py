"""Rows of configuration for compatible servers: each wrong value stops the start with a sentence,
and the right ones reach the server."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from accounts.providers import hide_header_values
from streaming.providers import catalog, errors
from streaming.providers.catalog import compatible
from streaming.providers.catalog.compatible import InvalidProviderConfig, parse_provider_config
from streaming.providers.catalog.options import ServerOptions
from streaming.providers.openai.chat_completions import CompatibleAdapter
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.types import REASONING_TIMEOUT_SECONDS, Request, Turn
from tests.providers.factories import collect_events
from tools.fake_provider import Behaviour, ErrorAnswer, Fake

URL = "http://someone:s3cret-word@127.0.0.1:1/v1"
HEADER = "s3cret-harbour-0123456789"


def parse_row(**fields: Any) -> tuple[catalog.Provider, tuple[catalog.Model, ...]]:
    return parse_provider_config({"id": "lab", "url": URL, **fields})


def build_deep_list(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"first_word_seconds": "600"}, "“first_word_seconds” must be a number of seconds from 1"),
        ({"first_word_seconds": 0}, "“first_word_seconds” must be"),
        ({"first_word_seconds": True}, "“first_word_seconds” must be"),
        ({"first_word_seconds": float("nan")}, "“first_word_seconds” must be"),
        ({"first_word_seconds": 10**9}, "“first_word_seconds” must be"),
        ({"headers": [HEADER]}, "“headers” must be an object"),
        ({"headers": {"X-Lab": 7}}, "“headers” must be an object"),
        ({"headers": {"X-Lab": f"{HEADER}\n"}}, "“headers” must be an object"),
        ({"headers": {"X Lab": HEADER}}, "“headers” must be an object"),
        ({"headers": {"Content-Length": "3"}}, "It may not have accept, "),
        ({"headers": {"authorization": HEADER}, "needs_key": True}, "may not have Authorization"),
        ({"body": [1]}, "“body” must be an object without messages, model, stream"),
        ({"body": {"stream": False}}, "“body” must be an object without messages, model, stream"),
        *(
            (
                {"body": body},
                "“body” must be an object without messages, model, stream, and without",
            )
            for body in (
                {"top_p": float("nan")},
                {"options": {"num_ctx": [float("inf")]}},
                {"stop": "\ud83d"},
                {"\udc00": 1},
                {"deep": build_deep_list(100_000)},
            )
        ),
        ({"takes": ["temperature"]}, "“takes” must be an object"),
        ({"takes": {"temperature": "no"}}, "“takes”: “temperature” must be true or false"),
        ({"takes": {"top_k": True}}, "“takes”: unknown field “top_k”. Known ones are temperature"),
        ({"takes": {"efforts": "low"}}, "“efforts” must be a list of words"),
        ({"takes": {"efforts": ["very high"]}}, "“efforts” must be a list of words"),
        ({"takes": {"context_window": "8k"}}, "“context_window” must be a whole number of tokens"),
        ({"models": {"kelp": {}}}, "“models” must be a list of names"),
        ({"models": [7]}, "“models” must be a list of names"),
        ({"models": [""]}, "“models”: “id” must be a name of at most 300 characters"),
        ({"models": ["x" * 301]}, "“models”: “id” must be a name"),
        ({"models": [{"label": "Kelp"}]}, "“models”: “id” must be a name"),
        ({"models": [{"id": "kelp", "window": 7}]}, "“models”: unknown field “window”"),
        ({"needs_key": "false"}, "“needs_key” must be true or false"),
        ({"name": 7}, "“name” must be a text"),
        ({"url": "http://:s3cret-word@/v1"}, "needs a “url”"),
        ({"timeout": 600}, "unknown field “timeout”. Known ones are id, name, url"),
    ],
)
def test_a_wrong_value_is_named_and_not_shown(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidProviderConfig) as caught:
        parse_row(**fields)
    message = str(caught.value)
    assert message.startswith("Row “lab”")
    assert problem in message
    assert "s3cret" not in message


def test_a_row_without_an_id_is_named_by_its_number() -> None:
    with pytest.raises(InvalidProviderConfig, match=r"^Row 3 needs an “id”") as caught:
        parse_provider_config({"url": URL, "headers": {"X-Lab": HEADER}}, 3)
    assert "s3cret" not in str(caught.value)


def test_a_row_says_what_its_models_take() -> None:
    provider, models = parse_row(
        takes={"temperature": False, "efforts": ["low", "high"], "context_window": 8_192},
        models=["kelp", {"id": "wrack", "label": "Wrack", "efforts": [], "max_output": 99}, "kelp"],
    )
    kelp, wrack = models
    assert (kelp.takes_temperature, kelp.efforts, kelp.context_window) == (
        False,
        ("low", "high"),
        8_192,
    )
    assert (wrack.label, wrack.efforts, wrack.max_output) == ("Wrack", (), 99)
    assert wrack.context_window == 8_192
    listed = catalog.model_from_id("dulse", provider)
    assert (listed.takes_temperature, listed.context_window) == (False, 8_192)


def test_headers_are_hidden_wherever_a_row_is_printed() -> None:
    rows = hide_header_values([{"id": "lab", "url": URL, "headers": {"X-Lab": HEADER}}])
    provider, _ = parse_provider_config(rows[0])
    assert HEADER not in repr((rows, provider, provider.options))
    assert provider.options
    assert provider.options.headers["X-Lab"].reveal() == HEADER
    assert hide_header_values([7, {"headers": [1]}]) == [7, {"headers": [1]}]


def test_rows_that_are_too_similar_are_named() -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "name": "Lab", "url": "http://127.0.0.1:1", "models": ["kelp", {"id": "kelp"}]},
        {"id": "b", "name": "Lab", "url": "http://127.0.0.1:2", "models": ["kelp"]},
        {"id": "c", "url": "http://127.0.0.1:1"},
    ]
    assert compatible.find_similar_rows(rows) == [
        "Row “a” names the model “kelp” twice.",
        "Rows “a” and “b” have the same name.",
        "Rows “a” and “c” have the same url.",
    ]


def test_a_local_server_may_be_silent_for_half_an_hour() -> None:
    """Some compute the prompt for minutes before their first byte."""
    provider, _ = parse_row()
    assert provider.options
    assert provider.options.timeouts.first_delta == 1800


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, fake: Fake) -> str:
    """A server with all settings of its own, over the fake's Chat Completions."""
    provider, _ = parse_provider_config(
        {
            "id": "lab",
            "url": fake.openai,
            "models": ["kelp"],
            "first_word_seconds": 7_200,
            "headers": {"X-Lab": HEADER, "Authorization": f"Basic {HEADER}"},
            "body": {"options": {"num_ctx": 16_384}, "keep_alive": -1, "temperature": 0.1},
        }
    )
    monkeypatch.setattr(catalog, "PROVIDERS", {**catalog.PROVIDERS, "lab": provider})
    return fake.openai


async def test_the_settings_of_a_row_reach_the_server(lab: str, fake: Fake) -> None:
    adapter: Any = get_adapter("lab", base_url=lab)
    assert adapter.timeouts.first_delta == 7_200
    assert adapter.timeouts.reasoning == max(7_200, REASONING_TIMEOUT_SECONDS)
    request = Request("kelp", (Turn("user", "?"),), temperature=0.5)
    await collect_events(adapter, request, key="")
    (record,) = fake.requests()
    assert record.body["options"] == {"num_ctx": 16_384}
    assert record.body["keep_alive"] == -1
    assert record.headers["x-lab"] == HEADER
    assert record.body["temperature"] == 0.5  # a person's own choice
    assert (record.body["model"], record.body["stream"]) == ("kelp", True)
    assert record.body["messages"] == [{"role": "user", "content": "?"}]


async def test_a_list_is_requested_with_the_headers_of_the_row(lab: str, fake: Fake) -> None:
    await get_adapter("lab", base_url=lab).list_models(Secret(""))
    (record,) = fake.lists()
    assert record.headers["x-lab"] == HEADER
    assert record.key == hashlib.sha256(f"Basic {HEADER}".encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        ({}, None),
        ({"authorization": "Basic kelp"}, "Basic kelp"),
        ({"Authorization": "Basic kelp"}, "Basic kelp"),
    ],
)
async def test_without_a_key_none_is_sent(
    lab: str, fake: Fake, headers: dict[str, str], sent: str | None
) -> None:
    options = ServerOptions(headers={name: Secret(value) for name, value in headers.items()})
    lab_adapter = CompatibleAdapter(base_url=lab, options=options)
    await collect_events(lab_adapter, Request("kelp", (Turn("user", "?"),)), key="")
    await lab_adapter.list_models(Secret(""))
    expected = "absent" if sent is None else hashlib.sha256(sent.encode()).hexdigest()[:12]
    assert [record.key for record in [*fake.requests(), *fake.lists()]] == [expected] * 2
    await collect_events(lab_adapter, Request("kelp", (Turn("user", "?"),)), key="sk-kelp")
    assert fake.requests()[-1].key != "absent"


async def test_a_server_that_echoes_its_headers_does_not_get_them_into_an_error(
    lab: str, fake: Fake
) -> None:
    echo = {"error": {"message": f"Who is {HEADER}?", "code": HEADER}}
    fake.script(Behaviour(error=ErrorAnswer(400, echo)))
    with pytest.raises(errors.ProviderError) as caught:
        await collect_events(
            get_adapter("lab", base_url=lab), Request("kelp", (Turn("user", "?"),)), key=""
        )
    assert "harbour" not in f"{caught.value!r} {caught.value.detail} {caught.value.message}"
    assert "[key]" in caught.value.detail


@pytest.mark.parametrize(
    "url",
    [
        *("http://lab/v1\n", " http://lab/v1", "http://lab/v 1", "http://la b/v1"),
        *("http://lab/\0", "http://lab\t:1/v1", "http://a..b/v1", f"http://{'a' * 70}/v1"),
        *("http://<your-host>/v1", "http://lab/v1?api-version=2026", "http://lab/v1#x"),
    ],
)
def test_an_address_that_no_request_could_reach_is_refused(url: str) -> None:
    with pytest.raises(InvalidProviderConfig, match="needs a “url”: a URL that begins with"):
        parse_row(url=url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://my_host:11434/v1/", "HTTP://LAB/V1", "http://[::1]:1/v1", "http://10.0.0.1/v1"),
        *("https://bücher.example/v1", "http://someone:word@lab/v1"),
    ],
)
def test_any_other_address_is_taken(url: str) -> None:
    assert parse_row(url=url)[0].base_url == url
