"""The table of docs/doors.md: for each door and each ability the test that proves it.

python -m tests.docs.doors_table writes the table; a test compares it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "doors.md"
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
ONLY_IN_PROVE = " (`make prove`)"

ABILITIES = {
    "send": "A question starts a reply.",
    "replay": "A client that comes later reads the reply from its start.",
    "resume": "A connection that is cut anywhere loses and doubles nothing.",
    "tools": "The model calls functions of the client, whose next request has their outputs.",
    "stop": "A stop ends the reply and keeps its text.",
    "fail": "A failed reply tells why.",
    "idle": "A silent model ends no connection.",
    "drain": "A process that ends tells the client to come back, or breaks off.",
    "kill": "A killed worker is not noticed.",
    "fold": "A folded reply is read as on its first day.",
    "cursors": "Each odd cursor has a defined answer, for its owner and for everybody else.",
}

CURSORS = "doors/test_cursors.py::test_the_owner_gets_the_answer_to_each_cursor"
CLIENT = "chat/api/test_socket_programs.py::"
CONSUMER = "streaming/test_consumers.py::"
EVENTS = "streaming/test_sse.py::"
API = "chat/api/test_conversations.py::"
GATEWAY = "doors/gateway/test_"
AI_SDK = "doors/ai_sdk/test_"
STOCK_AI_SDK = "clients/test_ai_sdk.py::"
LANGGRAPH = "doors/test_langgraph.py::"
AG_UI = "doors/test_ag_ui.py::"
RUNS = "clients/test_runs.py::"
FOLDED = "doors/test_folded_replays.py::test_a_folded_reply_is_read_byte_for_byte_as_before"
DURABLE = "doors/test_durable_streams.py::"
NO = "–"

PROOFS: dict[str, dict[str, str]] = {
    "[WebSocket](protocol.md)": {
        "tools": NO,
        "send": f"{CLIENT}test_a_program_sends_follows_stops_and_continues",
        "replay": f"{CONSUMER}test_following_replays_and_then_continues_live_to_the_end",
        "resume": f"{CLIENT}test_a_reply_arrives_whole_over_a_connection_that_is_cut_at_20_places",
        "stop": f"{CONSUMER}test_a_stop_ends_the_stream_and_a_second_one_has_no_effect",
        "fail": "e2e/test_states.py::test_the_page_shows_the_state_of_a_reply_and_can_stop_it",
        "idle": f"{CONSUMER}test_sockets_of_the_same_second_share_a_heartbeat",
        "drain": "e2e/test_restart.py::test_sockets_get_bye_before_a_restart",
        "kill": "e2e/test_killed.py::test_a_killed_reply_is_finished_in_an_open_page",
        "cursors": CURSORS,
    },
    "[Server-sent events](protocol.md#server-sent-events)": {
        "tools": NO,
        "send": NO,
        "replay": f"{EVENTS}test_a_response_replays_continues_live_and_ends_with_its_stream",
        "resume": "e2e/test_event_source.py"
        "::test_an_event_source_gets_the_journal_and_stops_asking_at_the_end",
        "stop": NO,
        "idle": f"{EVENTS}test_a_silent_stream_sends_heartbeats",
        "drain": f"{EVENTS}"
        "test_a_server_that_stops_breaks_its_responses_off_and_clients_continue_elsewhere",
        "cursors": CURSORS,
    },
    "[JSON API](api.md)": {
        "tools": NO,
        "send": f"{API}test_a_conversation_from_its_first_question_to_its_deletion",
        "replay": "chat/api/test_api_page.py::test_the_program_of_the_page_reads_a_whole_reply",
        "resume": f"{API}test_chunks_are_read_from_an_index",
        "stop": f"{API}test_a_stop_twice_is_answered_alike",
        "idle": NO,
        "drain": NO,
        "fold": f"{API}test_chunks_of_a_folded_stream_are_answered_byte_for_byte_as_before",
        "cursors": CURSORS,
    },
    "[Gateway](gateway.md), responses": {
        "send": f"{GATEWAY}responses.py::test_a_response_is_streamed_while_it_is_written",
        "replay": f"{GATEWAY}responses.py::test_the_stream_helper_resumes_and_has_the_whole_text",
        "tools": f"{GATEWAY}tool_outputs.py::test_the_next_request_answers_a_call",
        "resume": "e2e/test_gateway.py"
        "::test_a_line_that_is_cut_everywhere_loses_and_doubles_nothing",
        "stop": "e2e/test_gateway.py::test_a_stop_from_elsewhere_ends_a_stream_with_its_text",
        "fail": "e2e/test_gateway.py::test_a_failure_has_the_sentence_for_people",
        "idle": "clients/test_gateway_clients.py::test_each_client_waits_as_long_as_the_model_does",
        "drain": "e2e/test_gateway_deaths.py"
        "::test_a_drained_web_process_ends_each_body_in_its_own_way",
        "kill": "e2e/test_gateway_deaths.py::test_a_reader_notices_nothing_of_a_killed_worker",
        "fold": f"{GATEWAY}responses.py::test_a_folded_response_has_the_same_events",
        "cursors": CURSORS,
    },
    "[Gateway](gateway.md), chat completions": {
        "tools": f"{GATEWAY}tool_calls.py::test_a_completion_calls_and_is_answered",
        "send": f"{GATEWAY}chat_completions.py::test_a_completion_is_streamed_and_kept",
        "replay": NO,
        "resume": NO,
        "stop": NO,
        "fail": f"{GATEWAY}chat_completions.py::test_a_failure_is_an_error_that_is_not_tried_again",
        "fold": NO,
        "cursors": NO,
    },
    "[AI SDK](doors-ai-sdk.md)": {
        "tools": NO,
        "send": f"{AI_SDK}sending.py::test_a_message_is_answered_by_the_parts_of_a_message",
        "replay": f"{AI_SDK}resuming.py::test_a_running_answer_is_resumed_from_its_start",
        "resume": f"{STOCK_AI_SDK}test_a_connection_is_cut_anywhere",
        "stop": f"{AI_SDK}resuming.py::test_stopping_ends_the_answer_and_keeps_its_text",
        "fail": f"{AI_SDK}resuming.py::test_a_failure_is_an_error_with_our_sentence",
        "drain": f"{AI_SDK}resuming.py::test_a_drain_breaks_the_answer_off",
        "kill": f"{STOCK_AI_SDK}test_a_worker_is_killed",
        "fold": FOLDED,
        "cursors": CURSORS,
    },
    "[LangGraph](doors-langgraph.md)": {
        "tools": NO,
        "send": f"{LANGGRAPH}test_a_run_from_its_request_to_its_end",
        "replay": f"{LANGGRAPH}"
        "test_a_client_that_comes_back_after_any_event_has_each_character_once",
        "resume": f"{RUNS}test_each_client_survives_a_connection_that_is_cut_at_twenty_places",
        "stop": f"{LANGGRAPH}test_a_stopped_run_keeps_its_text",
        "fail": f"{LANGGRAPH}test_a_failed_run_says_why",
        "idle": f"{RUNS}test_each_client_waits_as_long_as_the_model_does",
        "drain": f"{RUNS}test_each_client_comes_back_after_the_web_process_was_drained",
        "kill": f"{RUNS}test_no_client_notices_that_the_worker_was_killed",
        "fold": FOLDED,
        "cursors": CURSORS,
    },
    "[AG-UI](doors-ag-ui.md)": {
        "tools": NO,
        "send": f"{AG_UI}test_a_run_from_its_request_to_its_end",
        "replay": f"{AG_UI}test_a_client_that_comes_back_at_any_time_has_each_character_once",
        "resume": f"{RUNS}test_each_client_survives_a_connection_that_is_cut_at_twenty_places",
        "stop": f"{AG_UI}test_a_stopped_run_keeps_its_text",
        "fail": f"{AG_UI}test_a_failed_run_says_why",
        "idle": f"{RUNS}test_each_client_waits_as_long_as_the_model_does",
        "drain": f"{RUNS}test_each_client_comes_back_after_the_web_process_was_drained",
        "kill": f"{RUNS}test_no_client_notices_that_the_worker_was_killed",
        "fold": FOLDED,
        "cursors": CURSORS,
    },
    "[Durable Streams](durable-streams.md)": {
        "tools": NO,
        "send": NO,
        "replay": f"{DURABLE}test_a_reply_is_read_while_it_is_written",
        "resume": f"{DURABLE}test_the_stock_client_reads_everything_over_a_line_that_is_cut",
        "stop": NO,
        "fold": f"{DURABLE}test_a_folded_reply_is_the_same_after_each_of_its_offsets",
        "cursors": CURSORS,
    },
}
"""NO stands for something that the protocol has no word for; nothing for something unproven."""


def build_table(ways_by_test: dict[str, set[str]]) -> str:
    """A tick leads to the file of its test; in brackets, only `make prove` runs it."""
    lines = [f"| | {' | '.join(ABILITIES)} |", f"|---|{':-:|' * len(ABILITIES)}"]
    for door, proofs in PROOFS.items():
        cells = [build_cell(proofs.get(ability, ""), ways_by_test) for ability in ABILITIES]
        lines.append(f"| {door} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def build_cell(proof: str, ways_by_test: dict[str, set[str]]) -> str:
    if proof in ("", NO):
        return proof
    ways = ways_by_test.get(proof, set()) - {"skipped"}
    if not ways:
        raise LookupError(f"pytest does not run {proof}")
    link = f"[✓](../tests/{proof.partition('::')[0]})"
    return link if "daily" in ways else f"({link})"


def list_proofs() -> Iterator[str]:
    for proofs in PROOFS.values():
        assert proofs.keys() <= ABILITIES.keys()
        yield from (proof for proof in proofs.values() if proof != NO)


def read_table() -> str:
    found = re.search(f"{BEGIN}(.*?){END}", PAGE.read_text(), re.DOTALL)
    assert found, "the page has no place for the table"
    return found[1]


def main() -> None:
    from tests.docs.named_tests import collect_named_tests

    table = build_table(collect_named_tests())
    PAGE.write_text(PAGE.read_text().replace(f"{BEGIN}{read_table()}", f"{BEGIN}{table}"))


if __name__ == "__main__":
    main()
