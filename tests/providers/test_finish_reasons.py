"""Finish reasons in the words of many servers."""

from __future__ import annotations

from typing import Any

import pytest

from streaming.providers.http.parsed import Meaning
from streaming.providers.http.reasons import MAX_WORD_CHARS, parse_reason

WORDS: dict[Meaning, str] = {
    "stop": """stop STOP end_turn endTurn eos eos_token EOS stop_sequence stop-sequence
        StopSequence done complete COMPLETE completed finished FINISH FINISH_REASON_STOP
        FinishReason.STOP REASON_STOP <|endoftext|> <|eot_id|> <|im_end|> end_of_text
        STOP_CRITERIA_MET normal success stop_str </s> <|end▁of▁sentence|> </answer> ok succeed
        SUCCEEDED user_stop_sequence userStopWord custom_stop_string
        stopped_because_EOS_was_generated""",
    "length": """length max_tokens MAX_TOKENS maxTokens MAX_OUTPUT_TOKENS max_output_reached
        model_length model_context_window_exceeded token_limit limit maximum_tokens REASON_MAX_LEN
        REASON_MAX_CONTEXT context_window max_new_tokens CONTINUATION truncated
        ctx_full kv_cache_full CONTEXT_FULL num_predict n_predict_reached kv-cache-is-full""",
    "content_filter": """content_filter contentFilter content-filtered safety SAFETY recitation
        BLOCKLIST prohibited_content sensitive guardrail_intervened ERROR_TOXIC LANGUAGE SPII
        IMAGE_SAFETY MODEL_ARMOR ESCALATION PUP_LIMITED_DISABLED nsfw jailbreak_detected""",
    "refusal": "refusal REFUSAL refused declined",
    "tool_calls": """tool_calls tool-calls TOOL_CALL toolUse tool_use function_call
        UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS""",
    "cut_off": """error ERROR cancelled canceled USER_CANCEL abort aborted overloaded timeout load
        insufficient_system_resource network_error repetition_truncation pause_turn time_limit
        REASON_TIME_LIMIT rate_limit_exceeded ERROR_LIMIT server_error failed incomplete expired
        MALFORMED_FUNCTION_CALL malformed_tool_use MISSING_THOUGHT_SIGNATURE preempted CUDA_OOM
        worker_died engine_dead ERR client_closed stream_closed queue_full server_is_full
        worker_restarted broken_pipe stalled kv_cache_evicted""",
    "other": """OTHER something_new stopped_by_user unstoppable backend not_done user_stopped
        stopped_because_user_asked </think> not_ok tokens prediction 正常结束 7""",
}
NO_REASONS: list[Any] = [
    *(None, "", " \n", "\0", "null", " NULL ", "None", "undefined", "unknown", "..."),
    *("FINISH_REASON_UNSPECIFIED", "not_finished", 0, False, True, [], {}, {"stop": 1}),
    *([["stop"]], ["stop", "length"], float("nan")),
]


@pytest.mark.parametrize("meaning", WORDS)
def test_a_reason_is_known_by_its_meaning_in_any_spelling(meaning: Meaning) -> None:
    for word in WORDS[meaning].split():
        reason = parse_reason(word)
        assert reason, word
        assert (word, reason.meaning) == (word, meaning)


def test_a_word_is_kept_where_it_says_more_than_its_meaning() -> None:
    for usual in ("stop", "eos_token", "length", "max_tokens", "CONTENT_FILTER", "toolUse"):
        reason = parse_reason(usual)
        assert reason
        assert (usual, reason.word) == (usual, "")
    for unusual in ("model_length", "RECITATION", "insufficient_system_resource", "OTHER"):
        reason = parse_reason(unusual)
        assert reason
        assert reason.word == unusual


@pytest.mark.parametrize("value", NO_REASONS, ids=repr)
def test_a_placeholder_or_a_value_of_another_kind_is_no_reason(value: object) -> None:
    assert parse_reason(value) is None


@pytest.mark.parametrize(
    ("value", "meaning", "word"),
    [
        ({"type": "abort", "message": "gone"}, "cut_off", "abort"),
        ({"type": "stop", "matched": 2}, "stop", ""),
        ({"reason": "MAX_TOKENS"}, "length", ""),
        (["length"], "length", ""),
        (2.5, "other", "2.5"),
        ("new\0\n\ud800\u202e reason ", "other", "new reason"),
        ("The model has reached the maximum number of tokens", "length", None),
        ("no end " * 999, "other", "no end " * 11 + "no…"),
    ],
    ids=range(8),
)
def test_odd_values_make_a_short_printable_word(
    value: object, meaning: Meaning, word: str | None
) -> None:
    reason = parse_reason(value)
    assert reason
    assert reason.meaning == meaning
    assert len(reason.word) <= MAX_WORD_CHARS
    assert word is None or reason.word == word
