"""The AsyncAPI document has the structure of AsyncAPI 3, and the examples of docs/protocol.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pydantic import ValidationError

from chat.api import asyncapi
from chat.api.asyncapi import CLIENT_FRAMES, SERVER_FRAMES, DocumentedFrame
from streaming.doors.commands import list_commands
from streaming.doors.websocket.protocol import ENGINE_COMMANDS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "protocol.md").read_text()
ROOT_FIELDS = {"asyncapi", "info", "defaultContentType", "servers", "channels", "operations"}
FIELDS = {
    "servers": {"host", "protocol", "security"},
    "channels": {"address", "description", "messages", "bindings"},
    "operations": {"action", "channel", "messages", "reply"},
    "messages": {"name", "summary", "payload", "examples"},
}
"""The fields of AsyncAPI 3 that are in use. A misspelled one would mean nothing to a reader."""


@pytest.fixture
def document() -> dict[str, Any]:
    answer = Client().get("/api/asyncapi.json", headers={"Host": "testserver"})
    assert answer.status_code == 200
    return dict(answer.json())


def find_references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from find_references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from find_references(inner)


def resolve(document: Mapping[str, Any], reference: str) -> Any:
    """Raises KeyError. A channel's message is a reference to one of the components."""
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return resolve(document, found["$ref"]) if "$ref" in found else found


def test_the_document_has_the_structure_of_asyncapi(document: dict[str, Any]) -> None:
    assert document["asyncapi"] == "3.0.0"
    assert document.keys() == ROOT_FIELDS | {"components"}
    assert {"title", "version"} <= document["info"].keys()
    assert document["servers"]["holdfast"]["host"] == "testserver"
    for kind in ("servers", "channels", "operations"):
        for name, part in document[kind].items():
            assert re.fullmatch(r"[\w-]+", name)
            assert part.keys() <= FIELDS[kind], name
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"] == {"$ref": "#/channels/socket"}
        for message in operation["messages"] + operation.get("reply", {}).get("messages", []):
            # Messages of an operation are those of its channel.
            assert message["$ref"].startswith("#/channels/socket/messages/")
    for message in document["components"]["messages"].values():
        assert message.keys() <= FIELDS["messages"]
        assert resolve(document, message["payload"]["$ref"])["type"] == "object"
        assert message["summary"]
        assert [example.keys() for example in message["examples"]]


def test_every_reference_leads_to_something(document: dict[str, Any]) -> None:
    references = {*find_references(document)}
    assert len(references) > 40
    for reference in references:
        assert isinstance(resolve(document, reference), dict)


def test_the_document_has_every_command(document: dict[str, Any]) -> None:
    names = [one.examples[0]["type"] for one in CLIENT_FRAMES]
    assert {*names} == {*ENGINE_COMMANDS, *list_commands()}
    actions = [operation["action"] for operation in document["operations"].values()]
    assert (actions.count("receive"), actions.count("send")) == (len(names), len(SERVER_FRAMES))


def test_the_examples_are_those_of_the_page() -> None:
    rows = re.findall(r"^\| `(\{.*?\})` \|", PAGE, re.MULTILINE)
    assert list_examples(CLIENT_FRAMES) == [json.loads(row) for row in rows]
    lines = "".join(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)).splitlines()
    assert list_examples(SERVER_FRAMES) == [json.loads(line) for line in lines]


def list_examples(frames: tuple[DocumentedFrame, ...]) -> list[Mapping[str, Any]]:
    return [example for one in frames for example in one.examples]


@pytest.mark.parametrize("one", CLIENT_FRAMES + SERVER_FRAMES, ids=lambda one: one.key)
def test_each_example_fits_its_schema_and_another_one_does_not(one: DocumentedFrame) -> None:
    for example in one.examples:
        one.model.model_validate(example, strict=True)
        with pytest.raises(ValidationError):
            one.model.model_validate({**example, "more": 1})
        with pytest.raises(ValidationError):
            one.model.model_validate({**example, "type": "other"})


def test_the_document_is_built_once() -> None:
    assert asyncapi.build_document() is asyncapi.build_document()
