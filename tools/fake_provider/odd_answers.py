"""Oddities beside the text of a reply: refusals, errors in many wordings, silences, lists."""

import json
from typing import Any

from tools.fake_provider.behaviour import ErrorAnswer
from tools.fake_provider.oddities import (
    CHAT,
    THOUGHT,
    Oddity,
    change_reasons,
    dump_events,
    put_first,
    send_instead,
)

DONE = b"data: [DONE]\n\n"
NOT_PERMITTED = "Extra inputs are not permitted"
NOT_PERMITTED_BODY = {"type": "extra_forbidden", "loc": ["body", "stream_options"]}
TOO_LONG: dict[str, tuple[int, str]] = {
    "anthropic": (
        400,
        "input length and `max_tokens` exceed context limit: 184915 + 20000 > 204648, decrease "
        "input length or `max_tokens` and try again",
    ),
    "llama": (400, "request (4390 tokens) exceeds the available context size (4096 tokens)"),
    "llama-fault": (500, "Context size has been exceeded."),
    "xai": (400, "maximum prompt length is 131072 but the request contains 140000 tokens"),
    "dashscope": (400, "Range of input length should be [1, 30720]"),
    "bedrock": (400, "Input is too long for requested model."),
    "vllm": (400, "The prompt (length 5000) is longer than the maximum model length of 4096"),
    "tgi": (422, "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000"),
    "moonshot": (400, "Your request exceeded model token limit: 8192"),
    "zhipu": (400, "Prompt exceeds max length"),
}


def build_choice(finish: str | None, **delta: str) -> dict[str, Any]:
    """Return a chunk of a chat completion."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def build_candidate(finish: str, **part: Any) -> dict[str, Any]:
    """Return an event of Google's."""
    return {"candidates": [{"content": {"parts": [part]}, "finishReason": finish}]}


def build_answer(status: int, message: str) -> ErrorAnswer:
    """Return an error in words, with the codes that say least."""
    return ErrorAnswer(status, {"error": {"message": message, "code": status, "param": None}})


def stamp_half(events: list[bytes]) -> list[bytes]:
    """Put a reason into the first half of the reply, and leave the rest out."""
    return change_reasons(lambda usual: "stop")(events)[: len(events) // 2 + 1]


ODD_ENDS: dict[str, Oddity] = {
    "early-reason": Oddity(
        "a reason in an empty chunk before the text",
        put_first(dump_events([build_choice("stop", content="", reasoning_content=THOUGHT)])),
        CHAT,
        reasoning=THOUGHT,
    ),
    "early-candidate": Oddity(
        "Google’s reason before the text",
        put_first(dump_events([build_candidate("STOP", text=THOUGHT, thought=True)])),
        ("google",),
        reasoning=THOUGHT,
    ),
    "stamped-cut": Oddity(
        "a reason in every event, and a cut",
        stamp_half,
        (*CHAT, "google"),
        ending="cut",
        code="interrupted",
    ),
    "only-thoughts": Oddity(
        "thoughts, and no answer",
        send_instead(
            dump_events([build_choice(None, reasoning_content=THOUGHT), build_choice("stop")])
            + DONE
        ),
        CHAT,
        code="only_reasoning",
    ),
    "nothing": Oddity(
        "LM Studio’s empty reply, if the prompt is too long",
        send_instead(
            dump_events(
                [
                    build_choice(None, role="assistant", content=""),
                    build_choice("stop")
                    | {"usage": {"prompt_tokens": 36_000, "completion_tokens": 0}},
                ]
            )
            + DONE
        ),
        CHAT,
        code="empty_reply",
    ),
    "silent": Oddity(
        "no byte of the reply", wires=(*CHAT, "openai"), ending="silence", code="no_response"
    ),
}
ODD_REFUSALS: dict[str, Oddity] = {
    "refuses-stream-options": Oddity(
        "stream_options is refused in words",
        wires=CHAT,
        refuses="stream_options",
        answer=build_answer(400, f"{NOT_PERMITTED}, field: 'stream_options'"),
    ),
    "forbids-stream-options": Oddity(
        "stream_options is refused with its path",
        wires=CHAT,
        refuses="stream_options",
        answer=ErrorAnswer(422, {"detail": [NOT_PERMITTED_BODY | {"msg": NOT_PERMITTED}]}),
    ),
}
ODD_ERRORS: dict[str, Oddity] = {
    f"too-long-{server}": Oddity(
        f"too long, in the words of {server}", answer=build_answer(*words), code="context_too_long"
    )
    for server, words in TOO_LONG.items()
} | {
    "no-memory": Oddity(
        "Ollama has no memory for the model",
        answer=build_answer(500, "model requires more system memory (7.5 GiB) than is available"),
        code="out_of_memory",
    ),
    "privacy": Oddity(
        "OpenRouter’s 404 for a privacy setting",
        answer=build_answer(404, "No endpoints found matching your data policy"),
        code="account_settings",
    ),
}
ODD_LISTS: dict[str, Oddity] = {
    "array": Oddity(
        "Together’s list, an array",
        model_list=json.dumps([{"id": "meta-llama/Llama-3.3-70B", "type": "chat"}]),
        listed=("meta-llama/Llama-3.3-70B",),
    ),
    "null": Oddity("a list that is null", model_list='{"data": null}'),
    "router": Oddity(
        "a router’s list, with the names of others",
        model_list='{"data": [{"id": "gpt-5.5"}, {"id": "claude-opus-5-5"}]}',
        listed=("gpt-5.5", "claude-opus-5-5"),
    ),
}
