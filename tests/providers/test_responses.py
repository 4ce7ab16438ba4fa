"""Responses only: the format of requests, servers without Responses, stored replies."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from streaming.events import Delta, Finish
from streaming.providers import errors
from streaming.providers.adapter import BackgroundAdapter, ReplyEvent
from streaming.providers.openai import auto, chat_completions, responses
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.types import CONTINUE_PROMPT, Request, Turn, Upstream
from tests.providers.factories import collect_events, collect_until_error, join_all_text, join_text
from tools.fake_provider import Behaviour, ErrorAnswer, Fake, Piece
from tools.fake_provider.wire import format_event

KEY = "sk-canary-0123456789"
TURNS = (Turn("user", "Kelp?"), Turn("assistant", "It is"), Turn("user", CONTINUE_PROMPT))
REQUEST = Request("gpt-6.2-astra", TURNS)
BACKGROUND_REQUEST = replace(REQUEST, background=True)


@pytest.fixture(autouse=True)
def forget_capabilities() -> Iterator[None]:
    auto._chat_only_urls.clear()
    responses._without_summary.clear()
    yield
    auto._chat_only_urls.clear()


async def ask_openai(fake: Fake, request: Request = REQUEST) -> list[ReplyEvent]:
    adapter = get_adapter("openai", base_url=fake.openai)
    return await collect_events(adapter, request, KEY)


async def test_nothing_is_stored_unless_requested(fake: Fake) -> None:
    await ask_openai(fake)
    [record] = fake.requests()
    assert record.path == "/v1/responses"
    assert record.body == {
        "model": "gpt-6.2-astra",
        "input": [
            {"role": "user", "content": "Kelp?"},
            {"role": "assistant", "content": "It is"},
            {"role": "user", "content": CONTINUE_PROMPT},
        ],
        "reasoning": {"summary": "auto"},
        "store": False,
        "stream": True,
    }


@pytest.mark.parametrize(
    ("model", "reasons"),
    [("gpt-4o", False), ("gpt-4.1-mini", False), ("gpt-5.5", True), ("o4-mini", True)],
)
def test_only_reasoning_models_are_asked_for_a_summary(model: str, reasons: bool) -> None:
    assert bool(responses.REASONING_MODELS.match(model)) is reasons


def test_a_limit_below_the_apis_minimum_is_raised_to_it() -> None:
    sent = responses.build_body(replace(REQUEST, max_tokens=5), is_official=True)
    assert sent["max_output_tokens"] == 16
    assert sent["stream_options"] == {"include_obfuscation": False}


def test_a_verbosity_is_sent_only_if_it_was_asked_for() -> None:
    for build in (responses.build_body, chat_completions.build_body):
        assert "verbosity" not in str(build(REQUEST, is_official=True))
    asked = replace(REQUEST, verbosity="low")
    assert responses.build_body(asked, is_official=True)["text"] == {"verbosity": "low"}
    assert chat_completions.build_body(asked, is_official=True)["verbosity"] == "low"


async def test_an_organisation_without_summaries_is_not_asked_again(fake: Fake) -> None:
    body = {"message": "Your organization must be verified.", "param": "reasoning.summary"}
    unverified = Behaviour(error=ErrorAnswer(400, {"error": body | {"code": "unsupported_value"}}))
    fake.script(unverified, Behaviour.of("Yes"), Behaviour.of("Again"))
    assert join_all_text(await ask_openai(fake)) == "Yes"
    assert join_all_text(await ask_openai(fake)) == "Again"
    assert ["reasoning" in record.body for record in fake.requests()] == [True, False, False]


async def test_parts_of_the_reasoning_are_separated(fake: Fake) -> None:
    part = {"sequence_number": 0, "item_id": "i", "output_index": 0, "part": {}}
    kind = "response.reasoning_summary_part.added"
    body = [format_event(part | {"type": kind, "summary_index": index}, kind) for index in (0, 1)]
    fake.script(Behaviour.of("Yes", extra=b"".join(body)))
    assert (await ask_openai(fake))[:-1] == [Delta("\n\n", "reasoning"), Delta("Yes")]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("server_error", errors.Overloaded),
        ("rate_limit_exceeded", errors.RateLimited),
        ("invalid_prompt", errors.ContentRefused),
        ("bio_policy", errors.ContentRefused),
        ("something_new", errors.ProviderError),
    ],
)
@pytest.mark.parametrize("where", ["failed", "error"])
async def test_a_reply_that_fails_says_why(
    fake: Fake, code: str, expected: type[errors.ProviderError], where: str
) -> None:
    error = {"code": code, "message": "It did not work."}
    failed = {"type": "response.failed", "response": {"id": "r", "error": error}}
    body = failed if where == "failed" else {"type": "error", **error}
    fake.script(Behaviour(extra=format_event(body | {"sequence_number": 1}, str(body["type"]))))
    with pytest.raises(errors.ProviderError) as caught:
        await ask_openai(fake)
    assert type(caught.value) is expected
    assert "It did not work." in caught.value.detail
    assert len(fake.requests()) == 1


# Text that comes only where it is repeated

THOUGHT: list[tuple[str, dict[str, Any]]] = [
    ("reasoning_summary_text.delta", {"delta": "Hm."}),
    ("reasoning_summary_text.done", {"text": "Hm."}),
    ("output_item.done", {"item": {"type": "reasoning", "summary": [{"text": "Hm."}]}}),
]
PART = {"type": "output_text", "text": "It is kelp."}
ANSWER: list[tuple[str, dict[str, Any]]] = [
    ("output_text.delta", {"delta": "It is "}),
    ("output_text.delta", {"delta": "kelp."}),
    ("output_text.done", {"text": "It is kelp."}),
    ("content_part.done", {"part": PART}),
    ("output_item.done", {"item": {"type": "message", "content": [PART]}}),
]
SECOND: list[tuple[str, dict[str, Any]]] = [
    ("output_text.delta", {"delta": " Alga."}),
    ("output_text.done", {"text": " Alga."}),
    ("output_item.done", {"item": {"type": "message", "content": [PART | {"text": " Alga."}]}}),
]
OUTPUT = [event["item"] for kind, event in (*THOUGHT, *ANSWER, *SECOND) if "item" in event]
END: list[tuple[str, dict[str, Any]]] = [
    ("completed", {"response": {"status": "completed", "output": OUTPUT}})
]


@pytest.mark.parametrize(
    "left_out",
    [
        (),
        ("delta",),
        ("delta", "text.done"),
        ("delta", "text.done", "item.done"),
        ("done",),
        ("text.done", "output_item.done"),
        ("reasoning_summary_text", "output_text.done"),
    ],
    ids=str,
)
async def test_text_is_taken_once_wherever_it_stands(fake: Fake, left_out: tuple[str, ...]) -> None:
    sent = [
        format_event({"type": f"response.{kind}", **event})
        for kind, event in (*THOUGHT, *ANSWER, *SECOND, *END)
        if not kind.endswith(left_out or "-") and not kind.startswith(left_out or "-")
    ]
    fake.script(Behaviour(extra=b"".join(sent)))
    *events, end = await ask_openai(fake)
    assert join_text(events) == "It is kelp. Alga."
    assert join_text(events, "reasoning") == "Hm."
    assert isinstance(end, Finish)
    assert end.reason == "stop"


async def test_a_repeat_is_never_added_to_text_that_was_streamed(fake: Fake) -> None:
    """Parts that are written at once end one after the other; a server may repeat one twice."""
    first, second = [{"delta": "It is "}, {"delta": "kelp."}]
    done = [("output_text.done", {"text": text}) for text in ("It is ", "kelp.", "kelp.")]
    sent = [("output_text.delta", first), ("output_text.delta", second), *done, *END]
    body = b"".join(format_event({"type": f"response.{kind}", **event}) for kind, event in sent)
    fake.script(Behaviour(extra=body))
    assert join_text(await ask_openai(fake)) == "It is kelp."


async def test_a_repeated_text_of_another_type_is_left_out(fake: Fake) -> None:
    odd: list[Any] = [
        ("output_text.done", {"text": 7}),
        ("output_item.done", {"item": {"type": "message"}}),
    ]
    sent = [ANSWER[1], *odd, ("completed", {"response": {"output": [7, {"type": "message"}]}})]
    body = b"".join(format_event({"type": f"response.{kind}", **event}) for kind, event in sent)
    fake.script(Behaviour(extra=body))
    assert join_text(await ask_openai(fake)) == "kelp."


async def test_a_refusal_that_comes_only_at_the_end_is_one(fake: Fake) -> None:
    content = [{"type": "refusal", "refusal": "I'd rather not."}]
    response = {"output": [{"type": "message", "content": content}]}
    fake.script(Behaviour(extra=format_event({"type": "response.completed", "response": response})))
    text, end = await ask_openai(fake)
    assert text == Delta("I'd rather not.")
    assert isinstance(end, Finish)
    assert end.reason == "refusal"


# Servers that know only Chat Completions


@pytest.fixture
def old_server(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Return a fake whose Responses endpoint answers 404."""
    fake.script(Behaviour(error=ErrorAnswer(404, {"detail": "Not Found"})))
    return fake


async def test_a_server_without_responses_gets_chat_completions(old_server: Fake) -> None:
    assert "You said" in join_all_text(await ask_openai(old_server))
    assert "You said" in join_all_text(await ask_openai(old_server))
    paths = [record.path for record in old_server.requests()]
    assert paths == ["/v1/responses", "/v1/chat/completions", "/v1/chat/completions"]


@pytest.mark.parametrize(
    "answer",
    [
        ErrorAnswer(
            200,
            {"error": "Unexpected endpoint or method. (POST /v1/responses). Returning 200 anyway"},
        ),
        ErrorAnswer(400, {"error": {"message": "Invalid URL (POST /v1/responses)"}}),
        ErrorAnswer(500, {"error": "Cannot POST /v1/responses"}),
        ErrorAnswer(400, "Unknown endpoint: /v1/responses"),
        ErrorAnswer(
            422,
            {"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": "Field required"}]},
        ),
        ErrorAnswer(400, {"error": {"message": "Missing required parameter: 'messages'"}}),
        ErrorAnswer(400, {"error": "you must provide messages: the field is required"}),
    ],
    ids=lambda answer: str(answer.body)[:60],
)
async def test_a_server_without_responses_may_say_so_under_any_status(
    fake: Fake, answer: ErrorAnswer
) -> None:
    fake.script(Behaviour(error=answer))
    assert "You said" in join_all_text(await ask_openai(fake))
    paths = [record.path for record in fake.requests()]
    assert paths == ["/v1/responses", "/v1/chat/completions"]


async def test_a_failure_of_both_wires_is_not_remembered(old_server: Fake) -> None:
    old_server.script(Behaviour(error=ErrorAnswer(404, "nothing here either")))
    with pytest.raises(errors.ModelNotFound):
        await ask_openai(old_server)
    assert not auto._chat_only_urls
    await ask_openai(old_server)
    assert [record.wire for record in old_server.requests()][-1] == "openai.responses"


@pytest.mark.parametrize(
    "answer",
    [
        ErrorAnswer(404, {"error": {"message": "The model `x` does not exist", "code": None}}),
        ErrorAnswer(404),
        ErrorAnswer(400, {"error": {"message": "no"}}),
        ErrorAnswer(500, "oops"),
        ErrorAnswer(307, "", {"location": "https://elsewhere.example/v1/responses"}),
        ErrorAnswer(400, {"error": {"message": "Invalid URL in image_url"}}),
    ],
    ids=[
        "no such model",
        "no such model, by its code",
        "bad request",
        "server error",
        "redirect",
        "another URL",
    ],
)
async def test_other_failures_do_not_switch_the_wire(fake: Fake, answer: ErrorAnswer) -> None:
    fake.script(Behaviour(error=answer))
    with pytest.raises(errors.ProviderError):
        await ask_openai(fake)
    assert len(fake.requests()) == 1


async def test_a_reply_that_has_begun_is_not_asked_for_again_over_the_other_wire(
    fake: Fake,
) -> None:
    error = ErrorAnswer(0, {"type": "error", "message": "Not Found"})
    fake.script(Behaviour.of("Kelp", " is", error=error, error_after=1))
    events, failure = await collect_until_error(
        get_adapter("openai", base_url=fake.openai), REQUEST, KEY
    )
    assert join_text(events) == "Kelp"
    assert failure
    assert len(fake.requests()) == 1


# Replies that the provider keeps


async def test_a_stored_reply_yields_checkpoints(fake: Fake) -> None:
    fake.script(Behaviour((Piece("Hm", "reasoning"), Piece("Kelp "), Piece("is."))))
    first, *rest, _ = await ask_openai(fake, BACKGROUND_REQUEST)
    assert isinstance(first, Delta)
    assert first.text == ""
    assert first.checkpoint.endswith(" 0")
    places = [delta.checkpoint for delta in rest if isinstance(delta, Delta)]
    cursors = [int(Upstream.from_checkpoint(place).cursor) for place in places if place]
    assert len(cursors) == 3
    assert cursors == sorted(set(cursors))
    assert fake.requests()[0].body["store"] is fake.requests()[0].body["background"] is True


async def test_it_can_be_resumed_at_every_delta_without_another_generation(
    fake: Fake,
) -> None:
    fake.script(Behaviour.of("é", "\ud83d", "\ude00", " kelp ", "\n\n", "end"))
    complete = await ask_openai(fake, BACKGROUND_REQUEST)
    so_far = ""
    for delta in complete[:-1]:
        assert isinstance(delta, Delta)
        so_far += delta.text
        place = Upstream.from_checkpoint(delta.checkpoint)
        rest = await ask_openai(fake, replace(BACKGROUND_REQUEST, upstream=place))
        assert so_far + join_all_text(rest) == join_all_text(complete)
        assert rest[-1] == complete[-1]
    assert [record.wire for record in fake.requests()].count("openai.responses") == 1


async def test_it_continues_without_a_reader(fake: Fake) -> None:
    fake.script(Behaviour.of("Kelp ", "is ", "anchored.", cut_after=1))
    kelp = get_adapter("openai", base_url=fake.openai)
    received: list[ReplyEvent] = []
    with pytest.raises(errors.Interrupted):
        received += [event async for event in kelp.stream(BACKGROUND_REQUEST, Secret(KEY))]
    upstream = Upstream("resp_" + f"{fake.requests()[0].id:08d}", "0")
    rest = await ask_openai(fake, replace(BACKGROUND_REQUEST, upstream=upstream))
    assert join_all_text(rest) == "Kelp is anchored."


async def test_an_expired_copy_causes_no_new_request(fake: Fake) -> None:
    with pytest.raises(errors.ModelNotFound):
        await ask_openai(fake, replace(BACKGROUND_REQUEST, upstream=Upstream("resp_gone", "3")))
    assert fake.requests() == []


async def test_a_stored_reply_can_be_cancelled(fake: Fake) -> None:
    fake.script(Behaviour.of("Kelp ", "is", stall_after=1))
    kelp = get_adapter("openai", base_url=fake.openai)
    assert isinstance(kelp, BackgroundAdapter)
    events = kelp.stream(BACKGROUND_REQUEST, Secret(KEY))
    first = await anext(events)
    assert isinstance(first, Delta)
    await events.aclose()
    await kelp.cancel(Upstream.from_checkpoint(first.checkpoint), Secret(KEY))
    generation, cancel = fake.requests()
    assert (generation.state, cancel.wire) == ("closed", "openai.responses.cancelled")


async def test_cancelling_an_expired_reply_fails_without_revealing_the_key(fake: Fake) -> None:
    kelp = get_adapter("openai", base_url=fake.openai)
    assert isinstance(kelp, BackgroundAdapter)
    with pytest.raises(errors.ModelNotFound) as caught:
        await kelp.cancel(Upstream("resp_gone"), Secret(KEY))
    assert KEY not in repr(vars(caught.value))


@pytest.mark.parametrize(
    ("event", "response", "expected"),
    [
        ("completed", {"incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ("completed", {"status": "incomplete"}, "incomplete"),
        ("completed", {"status": "completed", "incomplete_details": None}, "stop"),
        ("completed", {"status": "in_progress"}, "stop"),
        ("incomplete", {"status": "incomplete"}, "incomplete"),
        ("incomplete", {"incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ("incomplete", {"status": "completed"}, "incomplete"),
        ("cancelled", {}, "cancelled"),
    ],
)
async def test_the_last_event_says_that_a_response_is_not_whole(
    fake: Fake, event: str, response: dict[str, Any], expected: str
) -> None:
    text = format_event({"type": "response.output_text.delta", "delta": "Kelp"})
    last = format_event({"type": f"response.{event}", "response": response})
    fake.script(Behaviour(extra=text + last))
    if expected in {"incomplete", "cancelled"}:
        with pytest.raises(errors.CutOff, match=f"Cut off by the server: {expected}"):
            await ask_openai(fake)
        return
    end = (await ask_openai(fake))[-1]
    assert isinstance(end, Finish)
    assert end.reason == expected
