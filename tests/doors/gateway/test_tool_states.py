"""The states that providers want back with the calls of a program that sends everything."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from chat.models import ToolPart
from chat.tool_parts.storage import restore_states
from streaming.providers.tools import ToolCall
from streaming.providers.types import Turn
from tests.doors.gateway.program import Program
from tests.doors.gateway.tool_program import PARIS, ask_with_tool, write_calls

pytestmark = pytest.mark.django_db(transaction=True)

REPEATED = ToolCall("functions.get_weather:0", "get_weather", '{"city": "Paris"}', "google a")
ROME = replace(REPEATED, arguments='{"city": "Rome"}', state="google b")


def restore(user: User, *calls: ToolCall) -> list[str]:
    sent = tuple(replace(call, state="") for call in calls)
    [turn] = restore_states(user, [Turn("assistant", "", calls=sent)])
    return [call.state for call in turn.calls]


def test_a_call_gets_the_state_of_no_other_call_with_its_id(program: Program, owner: User) -> None:
    for call in (REPEATED, ROME):
        ask_with_tool(program, *write_calls(call))
    assert restore(owner, REPEATED, ROME) == ["google a", "google b"]
    assert restore(owner, replace(REPEATED, arguments='{"city": "Oslo"}')) == [""]
    assert restore(owner, replace(REPEATED, name="get_wind")) == [""]


def test_the_newest_of_equal_calls_counts(program: Program, owner: User) -> None:
    for state in ("google a", "google c", ""):
        ask_with_tool(program, *write_calls(replace(REPEATED, state=state)))
    assert restore(owner, REPEATED) == ["google c"]


def test_a_client_may_write_the_arguments_in_its_own_way(program: Program, owner: User) -> None:
    call = replace(REPEATED, arguments='{"city":"Z\u00fcrich","days":[1,2]}')
    ask_with_tool(program, *write_calls(call))
    written = json.dumps({"days": [1, 2], "city": "Z\u00fcrich"}, indent=2)
    assert restore(owner, replace(call, arguments=written)) == ["google a"]
    odd = replace(REPEATED, arguments="{", state="google odd")
    ask_with_tool(program, *write_calls(odd))
    assert restore(owner, odd) == ["google odd"]


def test_only_the_newest_row_of_a_call_is_read(program: Program, owner: User) -> None:
    ask_with_tool(program, *write_calls(PARIS))
    row = ToolPart.objects.get()
    old = [
        ToolPart(
            message=row.message,
            kind="call",
            call_id=row.call_id,
            name=row.name,
            text=row.text,
            state="google old",
        )
        for _ in range(50)
    ]
    ToolPart.objects.bulk_create(old)
    newest = ToolPart.objects.create(
        message=row.message,
        kind="call",
        call_id=row.call_id,
        name=row.name,
        text=row.text,
        state="google new",
    )
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert restore(owner, PARIS) == ["google new"]
    assert len(queries) == 2
    assert "GROUP BY" in queries[0]["sql"]
    assert f"IN ({newest.pk})" in queries[1]["sql"]
