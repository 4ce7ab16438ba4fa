"""Requests for responses: what is accepted, what is refused, and what the object says."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db.models.functions import Now

from accounts.api_keys import keys
from accounts.models import User
from accounts.tokens.models import Scope
from chat.api.models import IdempotentRequest
from chat.doors.gateway import references
from chat.doors.gateway.models import GatewayResponse
from chat.doors.gateway.output import Output, load_output
from chat.messages.forms import MAX_MESSAGE_CHARS
from chat.models import Conversation, Message
from chat.replies.handler import load_turns
from chat.replies.limits import OTHER_CHARS, ROW_CHARS
from streaming.events import Finish
from streaming.lifecycle import STOPPED, Ending
from streaming.models import Kind, State, Stream
from tests.chat.factories import start_reply
from tests.doors.gateway.program import (
    COMPLETED,
    Program,
    create,
    find_stream,
    write_response,
)
from tests.factories import Piece

pytestmark = pytest.mark.django_db

HARMLESS: dict[str, Any] = {
    "tools": [],
    "tool_choice": "none",
    "truncation": "disabled",
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "service_tier": "auto",
    "parallel_tool_calls": False,
    "user": "me",
    "safety_identifier": "me",
    "prompt_cache_key": "mine",
    "stream_options": {"include_obfuscation": False},
    "include": ["reasoning.encrypted_content"],
    "top_p": 1,
    "temperature": 1,
    "top_logprobs": 0,
    "frequency_penalty": 0,
    "max_tool_calls": 3,
    "metadata": {"ticket": "17"},
    "instructions": "Be brief.",
    "previous_response_id": None,
    "reasoning": {"summary": "auto", "context": "all_turns", "mode": "standard"},
}
SCHEMA_FORMAT = {"type": "json_schema", "name": "W", "strict": True, "schema": {"type": "object"}}
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AA"}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"tools": [{"type": "web_search"}]}, "tools[0].type", "unsupported_parameter"),
    ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
    ({"top_p": 0.5}, "top_p", "unsupported_parameter"),
    ({"top_logprobs": 2}, "top_logprobs", "unsupported_parameter"),
    ({"top_logprobs": "2"}, "top_logprobs", "invalid_value"),
    ({"truncation": "auto"}, "truncation", "unsupported_parameter"),
    ({"text": {"format": {"type": "json_object"}}}, "text.format.type", "unsupported_parameter"),
    ({"text": {"format": SCHEMA_FORMAT}}, "text.format.type", "unsupported_parameter"),
    ({"text": {"format": {"type": ["text"]}}}, "text.format.type", "unsupported_parameter"),
    ({"text": {"format": {"type": "text", "a": 1}}}, "text.format.a", "unknown_parameter"),
    ({"text": {"shape": 1}}, "text.shape", "unknown_parameter"),
    ({"text": {"verbosity": "low"}}, "text.verbosity", "unsupported_parameter"),
    ({"text": {"verbosity": "x"}}, "text.verbosity", "invalid_value"),
    ({"reasoning": {"mode": "pro"}}, "reasoning.mode", "unsupported_parameter"),
    ({"include": ["message.output_text.logprobs"]}, "include", "unsupported_parameter"),
    ({"prompt": {"id": "p"}}, "prompt", "unsupported_parameter"),
    ({"seed": 1}, "seed", "unknown_parameter"),
    ({"reasoning": {"effort": "high"}}, "reasoning.effort", "unsupported_parameter"),
    ({"reasoning": {"summary": "detailed"}}, "reasoning.summary", "unsupported_parameter"),
    (
        {"reasoning": {"generate_summary": "auto"}},
        "reasoning.generate_summary",
        "unsupported_parameter",
    ),
    ({"temperature": 3}, "temperature", "invalid_value"),
    ({"temperature": True}, "temperature", "invalid_value"),
    ({"max_output_tokens": 0}, "max_output_tokens", "invalid_value"),
    ({"stream": "yes"}, "stream", "invalid_value"),
    ({"metadata": {"a": 1}}, "metadata.a", "invalid_value"),
    ({"metadata": dict.fromkeys("abcdefghijklmnopq", "x")}, "metadata", "invalid_value"),
    ({"model": "no-such-model"}, "model", "model_not_found"),
    ({"model": "gpt-5.5"}, "model", "no_key"),
    ({"model": None}, "model", "missing_required_parameter"),
    ({"input": None}, "input", "missing_required_parameter"),
    ({"input": ""}, "input", "empty"),
    ({"input": []}, "input", "no_question"),
    ({"input": 7}, "input", "invalid_value"),
    ({"input": ["x"]}, "input[0]", "invalid_value"),
    ({"input": [{"role": "assistant", "content": "x"}]}, "input", "no_question"),
    (
        {"input": [{"role": "tool", "content": "x"}]},
        "input[0].tool_call_id",
        "missing_required_parameter",
    ),
    ({"input": [{"role": "user", "content": 1}]}, "input[0].content", "invalid_value"),
    (
        {"input": [{"role": "user", "content": [IMAGE]}]},
        "input[0].content[0].type",
        "unsupported_parameter",
    ),
    ({"input": [{"type": "computer_call"}]}, "input[0].type", "unsupported_parameter"),
    ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]", "not_found"),
    ({"previous_response_id": "resp_1"}, "previous_response_id", "previous_response_not_found"),
    ({"store": False}, "background", "invalid_value"),
    ({"conversation": "conv_1", "previous_response_id": "x"}, "conversation", "invalid_value"),
]


@pytest.mark.parametrize(
    ("changed", "param", "code"), REFUSED, ids=[str(case[0])[:60] for case in REFUSED]
)
def test_a_parameter_that_is_not_supported_is_named(
    program: Program, changed: dict[str, Any], param: str, code: str
) -> None:
    body = {"model": "demo", "input": "Why?", "background": True} | changed
    response = program.post("/responses", body)
    error = response.data["error"]
    assert (error["param"], error["code"]) == (param, code), error
    assert response.status_code == (404 if code == "model_not_found" else 400)
    assert error["message"]
    assert error["type"]
    assert not Conversation.objects.exists()
    assert not Stream.objects.exists()


def test_values_without_an_effect_are_accepted_and_shown(program: Program) -> None:
    shown = program.ask(**HARMLESS)
    for name in ("tools", "truncation", "user", "safety_identifier", "prompt_cache_key"):
        assert shown[name] == HARMLESS[name]
    assert shown["parallel_tool_calls"] is False
    assert shown["reasoning"] == {"effort": None, "summary": "auto", "mode": "standard"}
    assert (shown["tool_choice"], shown["service_tier"]) == ("none", "default")
    assert (shown["metadata"], shown["instructions"]) == ({"ticket": "17"}, "Be brief.")
    assert (shown["status"], shown["background"], shown["store"]) == ("queued", True, True)
    assert find_stream(shown["id"]).arguments["system_prompt"] == "Be brief."


def test_the_body_must_be_an_object(program: Program) -> None:
    for body in ("[]", "{", "[" * 100_000, '{"temperature": NaN}', "\\ud800"):
        response = program.client.generic(
            "POST", "/v1/responses", body, "application/json", headers=program.headers
        )
        assert response.status_code == 400, body[:20]
        assert response.json()["error"]["code"] == "bad_request"


def test_odd_characters_are_replaced(program: Program) -> None:
    shown = program.ask("a\0b\r\n\ud800", metadata={"k\0": "\ud800"}, instructions="\0")
    question = Message.objects.get(role="user")
    assert question.content == "a\ufffdb\n\ufffd"
    assert shown["metadata"] == {"k\ufffd": "\ufffd"}


def test_metadata_are_not_changed(program: Program) -> None:
    notes = {"a\r\nb": "1\r\n2", "a\nb": "3", "": ""}
    assert program.ask(metadata=notes)["metadata"] == notes


def test_the_outcome_is_in_the_object(program: Program) -> None:
    failed = Ending(State.FAILED, error_class="rate_limited", error="Too often.")
    cases: list[tuple[Ending, dict[str, Any]]] = [
        (COMPLETED, {"status": "completed", "error": None, "incomplete_details": None}),
        (STOPPED, {"status": "cancelled", "completed_at": None, "error": None}),
        (
            Ending.from_finish(Finish("length")),
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        ),
        (
            failed,
            {
                "status": "failed",
                "error": {"code": "rate_limit_exceeded", "message": "Too often."},
            },
        ),
        (Ending.interrupted("Gone."), {"status": "failed", "usage": None}),
    ]
    for ending, expected in cases:
        id = program.ask()["id"]
        write_response(id, (Kind.REASONING, "Hm."), "Because", ending=ending)
        shown = program.get(f"/responses/{id}").data
        assert {name: shown[name] for name in expected} == expected
        reasoning, message = shown["output"]
        assert reasoning["summary"][0]["text"] == "Hm."
        assert message["content"][0]["text"] == "Because"
        assert message["status"] == ("completed" if ending is COMPLETED else "incomplete")


def test_usage_has_its_details(program: Program) -> None:
    id = program.ask()["id"]
    write_response(id, "Because")
    assert program.get(f"/responses/{id}").data["usage"] == {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 19,
    }


def test_the_messages_of_a_request_are_the_history_of_its_reply(program: Program) -> None:
    shown = program.ask(
        [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"type": "input_text", "text": "One"}]},
            {"type": "reasoning", "id": "rs_1", "summary": []},
            {"role": "assistant", "content": [{"type": "output_text", "text": "Two"}]},
            {"type": "message", "role": "developer", "content": "And brief."},
            {"role": "user", "content": "Three"},
        ],
        instructions="Rhyme.",
    )
    row = GatewayResponse.objects.get()
    turns = load_turns(row.conversation, row.answer.parent_id)
    assert [(turn.role, turn.text) for turn in turns] == [
        ("user", "One"),
        ("assistant", "Two"),
        ("user", "Three"),
    ]
    stream = find_stream(shown["id"])
    assert stream.arguments["system_prompt"] == "Rhyme.\n\nBe kind.\n\nAnd brief."
    assert stream.size == len("OneTwoThree") + len("Rhyme.\n\nBe kind.\n\nAnd brief.")
    row.conversation.refresh_from_db()
    other_chars = stream.arguments[OTHER_CHARS]
    assert row.conversation.stored_chars == stream.size + 4 * ROW_CHARS + other_chars
    assert row.conversation.door == "gateway"


def test_a_response_continues_from_each_earlier_one(program: Program) -> None:
    first = program.ask(
        [{"role": "developer", "content": "Dev."}, {"role": "user", "content": "A"}]
    )
    write_response(first["id"], "a")
    for number in range(2):
        answer = f"b{number}"
        second = program.ask("B", previous_response_id=first["id"], instructions="New.")
        write_response(second["id"], answer)
        stream = find_stream(second["id"])
        row = GatewayResponse.objects.get(stream=stream)
        turns = load_turns(row.conversation, row.answer_id)
        assert [turn.text for turn in turns] == ["A", "a", "B", answer]
        assert stream.arguments["system_prompt"] == "New.\n\nDev."
        assert second["previous_response_id"] == first["id"]
    assert Conversation.objects.count() == 1


def test_an_item_of_an_earlier_response_can_be_named(program: Program) -> None:
    first = program.ask("A")
    write_response(first["id"], (Kind.REASONING, "Hm."), "a")
    output = program.get(f"/responses/{first['id']}").data["output"]
    second = program.ask(
        [
            {"role": "user", "content": "A"},
            *({"type": "item_reference", "id": item["id"]} for item in output),
            {"role": "user", "content": "B"},
        ]
    )
    row = GatewayResponse.objects.get(stream=find_stream(second["id"]))
    assert [turn.text for turn in load_turns(row.conversation, row.answer.parent_id)] == [
        "A",
        "a",
        "B",
    ]


def test_an_item_that_is_not_there_yet_or_never_is_refused(
    program: Program, colleague: User
) -> None:
    running = program.ask("A")["id"]
    write_response(running, (Kind.REASONING, "Hm."), "a", ending=None)
    ended = program.ask("A")["id"]
    write_response(ended, (Kind.REASONING, "Hm."), "a", (Kind.REASONING, "So."), "b")
    output = program.get(f"/responses/{ended}").data["output"]
    missing = [
        output[-1]["id"].removesuffix("_2") + "_3",
        output[0]["id"] + "_9",
        output[-1]["id"].replace("msg_", "fc_"),
        output[-1]["id"].replace("msg_", "fco_"),
        *(f"{prefix}_{'0' * 32}" for prefix in ("msg", "rs", "fc", "fco")),
        "resp_" + "0" * 32,
        "",
    ]

    def refer(id: str, by: Program = program) -> Any:
        item = {"type": "item_reference", "id": id}
        body = {"model": "demo", "input": [item, {"role": "user", "content": "B"}]}
        return by.post("/responses", body | {"background": True})

    for id in missing:
        error = refer(id).data["error"]
        assert (error["param"], error["code"]) == ("input[0]", "not_found"), id
    for item in program.get(f"/responses/{running}").data["output"]:
        refused = refer(item["id"])
        assert refused.status_code == 400
        assert "has not ended yet" in refused.data["error"]["message"]
    for item in output:
        assert refer(item["id"]).status_code == 200
        assert refer(item["id"], Program.of(colleague)).data["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("include=reasoning.encrypted_content", "include"),
        ("include[]=x", "include"),
        ("stream=True", "stream"),
        ("stream=yes", "stream"),
        ("stream[]=true", "stream[]"),
        ("starting_after=0", "starting_after"),
        ("stream=false&starting_after=0", "starting_after"),
        ("include_obfuscation=true", "include_obfuscation"),
        ("include_obfuscation=x", "include_obfuscation"),
        ("wait=1", "wait"),
    ],
)
def test_a_query_that_is_not_supported_is_named(program: Program, query: str, param: str) -> None:
    id = program.ask()["id"]
    refused = program.get(f"/responses/{id}?{query}")
    assert (refused.status_code, refused.data["error"]["param"]) == (400, param)


def test_each_address_knows_its_query(program: Program) -> None:
    id = program.ask()["id"]
    into = create(program, items=[{"role": "user", "content": "A"}])
    item = program.get(f"/conversations/{into}/items").data["first_id"]
    paths = [
        f"/responses/{id}/input_items",
        f"/conversations/{into}",
        f"/conversations/{into}/items",
        f"/conversations/{into}/items/{item}",
        "/models",
        "/models/demo",
    ]
    for path in paths:
        assert program.get(path).status_code == 200
        for name in ("include", "include[]", "wait"):
            error = program.get(f"{path}?{name}=x").data["error"]
            assert error["param"] == name.removesuffix("[]"), path


def test_a_setting_that_was_asked_for_is_sent(program: Program, owner: User) -> None:
    for provider in ("openai", "google"):
        keys.save(owner, provider, "sk-0123456789abcdef")
    takes = program.ask(model="gpt-4.1", temperature=1, top_p=1)["id"]
    assert find_stream(takes).arguments["temperature"] == 1
    takes_none = program.ask(model="gpt-5.5", temperature=1)["id"]
    assert find_stream(takes_none).arguments["temperature"] is None
    brief = program.ask(model="gpt-5.5", text={"verbosity": "low"})
    assert brief["text"]["verbosity"] == find_stream(brief["id"]).arguments["verbosity"] == "low"
    verbose: dict[str, Any] = {"model": "gpt-4.1", "input": "?", "text": {"verbosity": "low"}}
    assert program.post("/responses", verbose).data["error"]["param"] == "text.verbosity"
    body = {"model": "gpt-5.5", "input": "Why?", "background": True, "temperature": 0.5}
    assert program.post("/responses", body).data["error"]["param"] == "temperature"
    google = next(
        model["id"]
        for model in program.get("/models").data["data"]
        if model["owned_by"] == "google"
    )
    body = {"model": google, "input": "Why?", "background": True, "top_p": 1}
    error = program.post("/responses", body).data["error"]
    assert (error["param"], error["code"]) == ("top_p", "unsupported_parameter")


def test_an_idempotency_key_makes_one_response(program: Program) -> None:
    body = {"model": "demo", "input": "Why?", "background": True}
    first, again = (program.post("/responses", body, Idempotency_Key="k").data for _ in range(2))
    assert first["id"] == again["id"]
    other = program.post("/responses", body | {"input": "How?"}, Idempotency_Key="k")
    assert (other.status_code, other.data["error"]["code"]) == (409, "key_reused")
    assert Stream.objects.count() == 1


@pytest.mark.parametrize("path", ["/responses", "/chat/completions"])
def test_a_key_is_known_after_its_row_was_deleted_for_its_age(
    program: Program, owner: User, path: str
) -> None:
    name = "input" if path == "/responses" else "messages"
    body = {"model": "demo", "stream": True, name: [{"role": "user", "content": "Why?"}]}
    for _ in range(2):
        assert program.post(path, body, Idempotency_Key="k").status_code == 200
        IdempotentRequest.objects.all().delete()  # as workers do after 30 days
    assert Stream.objects.count() == GatewayResponse.objects.count() == 1
    Conversation.objects.update(deleted_at=Now())
    gone = program.post(path, body, Idempotency_Key="k")
    assert (gone.status_code, gone.data["error"]["code"]) == (404, "gone")


def test_a_key_of_a_chat_makes_no_response(program: Program, owner: User) -> None:
    writer = Program.of(owner, Scope.WRITE)
    headers = writer.headers | {"Idempotency-Key": "k"}
    sent = {"text": "Why?", "model": "demo"}
    path, kind = "/api/conversations", "application/json"
    assert writer.client.post(path, sent, kind, headers=headers).status_code == 201
    IdempotentRequest.objects.all().delete()
    body = {"model": "demo", "input": "Why?", "background": True}
    reused = program.post("/responses", body, Idempotency_Key="k")
    assert (reused.status_code, reused.data["error"]["code"]) == (409, "key_reused")


def test_others_get_the_same_answer_as_for_nothing(
    program: Program, owner: User, colleague: User
) -> None:
    id = program.ask("My secret")["id"]
    stranger = Program.of(colleague)
    missing = "resp_" + "0" * 32
    for method, path in (("GET", ""), ("POST", "/cancel")):
        told = stranger.send(method, f"/responses/{id}{path}")
        nothing = stranger.send(method, f"/responses/{missing}{path}")
        assert told.status_code == nothing.status_code == 404
        assert told.content.replace(id.encode(), missing.encode()) == nothing.content
    body = {"model": "demo", "input": "x", "previous_response_id": id}
    assert stranger.post("/responses", body).status_code == 400
    assert find_stream(id).state == State.QUEUED
    reader = Program.of(owner, Scope.READ, Scope.WRITE)
    refused = reader.get(f"/responses/{id}")
    assert (refused.status_code, refused.data["error"]["type"]) == (403, "permission_error")
    nobody = Program("").get(f"/responses/{id}")
    assert (nobody.status_code, nobody.data["error"]["code"]) == (401, "invalid_api_key")
    page = Program("")
    page.client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    assert page.get(f"/responses/{id}").status_code == 401


def test_the_reply_of_a_page_is_no_response(program: Program, owner: User) -> None:
    reply = start_reply(owner)
    assert program.get(f"/responses/resp_{reply.stream.uuid.hex}").status_code == 404


def test_a_wrong_method_is_an_error_in_the_shape_of_openai(program: Program) -> None:
    wrong = program.send("PUT", "/responses")
    assert (wrong.status_code, wrong.data["error"]["code"]) == (405, "bad_method")
    assert wrong.headers["Allow"] == "POST"


def test_a_stop_keeps_the_text_and_has_no_effect_later(program: Program) -> None:
    id = program.ask()["id"]
    write_response(id, "Beca", ending=None)
    for _ in range(2):
        stopped = program.post(f"/responses/{id}/cancel").data
        assert stopped["status"] == "cancelled"
        assert stopped["output"][0]["content"][0]["text"] == "Beca"


def test_parts_together_have_the_limit_of_a_message(program: Program) -> None:
    half = "z" * (MAX_MESSAGE_CHARS // 2 + 1)
    parts = [{"type": "input_text", "text": half}] * 2
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    answers = [{"role": "assistant", "content": half}, call, {"role": "assistant", "content": half}]
    output = {"type": "function_call_output", "call_id": "c", "output": parts[:1]}
    for input, param in (
        ([{"role": "user", "content": parts}], "input[0].content"),
        ([{"role": "user", "content": "x"}, *answers, output], "input[3].content"),
    ):
        refused = program.post("/responses", {"model": "demo", "input": input})
        assert refused.status_code == 400
        error = refused.data["error"]
        assert (error["param"], error["code"]) == (param, "string_above_max_length")


def test_a_request_reads_few_journals_for_the_items_that_it_names(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "MAX_READ_JOURNALS", 2)
    read: list[Stream] = []

    def load(stream: Stream, answer_id: UUID) -> Output:
        read.append(stream)
        return load_output(stream, answer_id)

    monkeypatch.setattr(references, "load_output", load)

    def refer(id: str, *pieces: Piece) -> dict[str, str]:
        write_response(id, *pieces)
        [*_, last] = program.get(f"/responses/{id}").data["output"]
        return {"type": "item_reference", "id": last["id"]}

    parts: list[Piece] = [(Kind.REASONING, "Hm."), "a", (Kind.REASONING, "So."), "b"]
    named = [refer(program.ask("A")["id"], *parts) for _ in range(3)]
    plain = refer(program.ask("A")["id"], "a")
    question = {"role": "user", "content": "B"}
    assert program.ask([plain, *named[:2], *named[:2], question])["status"] == "queued"
    assert len(read) == 2
    for input, code in (
        ([*named, question], "invalid_value"),
        ([{**plain, "id": f"{plain['id']}_2"}, question], "not_found"),
    ):
        read.clear()
        refused = program.post("/responses", {"model": "demo", "input": input})
        assert refused.data["error"]["code"] == code
        assert len(read) <= 2
    assert not read, "a plain text has one item"


def test_an_id_with_a_number_names_only_items(program: Program) -> None:
    into = create(program)
    id = program.ask(conversation=into)["id"]
    assert program.get(f"/responses/{id}_2").status_code == 404
    assert program.get(f"/conversations/{into}_2").status_code == 404
    refused = program.post(
        "/responses", {"model": "demo", "input": "x", "conversation": f"{into}_2"}
    )
    assert refused.status_code == 404
    assert refused.data["error"]["param"] == "conversation"
