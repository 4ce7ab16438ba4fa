"""Lists of models as real servers send them, through the real clients and a socket."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import pytest

from streaming.providers import errors
from streaming.providers.http import model_list
from streaming.providers.redaction import Secret
from streaming.providers.registry import get_adapter
from streaming.providers.types import ModelInfo

KEY = "sk-harbour-0123456789-ab12"
Answer = Callable[[str], tuple[int, bytes]]


@asynccontextmanager
async def serve_list(answer: Answer) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that answers each path by the function, with its URL and the paths so far."""
    paths: list[str] = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        paths.append(head.split(b" ")[1].decode())
        status, body = answer(paths[-1])
        lines = (f"HTTP/1.1 {status} OK", f"Content-Length: {len(body)}", "Connection: close")
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1", paths


async def list_models(body: Any, provider: str = "lab", status: int = 200) -> tuple[ModelInfo, ...]:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with serve_list(lambda path: (status, encoded)) as (url, _):
        return await get_adapter(provider, base_url=url).list_models(Secret(KEY))


ONE = [{"id": "kelp"}]
LISTS: dict[str, tuple[Any, list[str]]] = {
    # Of the reports
    "an array (Together)": ([{"id": "meta/kelp", "type": "chat"}], ["meta/kelp"]),
    "null instead of a list": ({"data": None}, []),
    # Further ones
    "OpenAI's": ({"object": "list", "data": ONE}, ["kelp"]),
    "names in an array": (["kelp", "wrack"], ["kelp", "wrack"]),
    "names in an object": ({"data": ["kelp"]}, ["kelp"]),
    "Ollama's own": ({"models": [{"name": "kelp:8b", "model": "kelp:8b"}]}, ["kelp:8b"]),
    "Ollama's without any model": ({"models": None}, []),
    "llama.cpp's, twice": ({"models": [{"name": "x"}], "data": [{"id": "kelp"}]}, ["kelp"]),
    "an empty list beside a full one": ({"data": [], "models": ["kelp"]}, ["kelp"]),
    "an object by names": ({"kelp": {"max_model_len": 9}, "wrack": {}}, ["kelp", "wrack"]),
    "data by names": ({"data": {"kelp": {"owned_by": "x"}}}, ["kelp"]),
    "a list within data": ({"data": {"models": ONE}}, ["kelp"]),
    "LiteLLM's info": ({"data": [{"model_name": "kelp", "model_info": {}}]}, ["kelp"]),
    "a list without data": ({"object": "list"}, []),
    "an empty object": ({}, []),
    "an empty array": ([], []),
    "only null": (None, []),
    "a number of 5,000 digits": (
        b'{"data": [{"id": "kelp", "created": ' + b"9" * 5_000 + b"}]}",
        ["kelp"],
    ),
    "a raw control character": (b'{"data": [{"id": "kelp", "label": "a\tb"}]}', ["kelp"]),
    "a byte order mark": (b'\xef\xbb\xbf{"data": [{"id": "kelp"}]}', ["kelp"]),
    "the same name twice": ({"data": [{"id": "kelp"}, {"id": "kelp"}]}, ["kelp"]),
    "odd entries": (
        {
            "data": [
                None,
                7,
                [],
                {},
                {"id": 7},
                {"id": ""},
                {"id": " "},
                {"id": None, "name": "kelp"},
            ]
        },
        ["kelp"],
    ),
    "odd names": ({"data": ["a\u0000b", "x" * 301, " kelp", "x" * 300]}, ["x" * 300]),
    "blanks within names": ({"data": [{"id": "My Kelp  7B"}, "a b"]}, ["My Kelp  7B", "a b"]),
    "odd fields": (
        {"data": [{"id": "kelp", "shutdown_date": "soon", "context_length": [], "type": 3}]},
        ["kelp"],
    ),
    "models of other kinds": (
        {
            "data": [
                {"id": "a", "type": "embedding"},
                {"id": "b", "mode": "image_generation"},
                {"id": "c", "capabilities": {"completion_chat": False}},
                {"id": "d", "architecture": {"output_modalities": ["image"]}},
                {"id": "e", "capabilities": ["embedding"]},
                {"id": "f", "active": False},
                {"id": "g", "type": "embeddings", "object": "model"},
                {"id": "h", "task": "image-text-to-text"},
                {"id": "i", "architecture": {"output_modalities": ["text"]}},
            ]
        },
        ["h", "i"],
    ),
}
UNREADABLE: dict[str, Any] = {
    "a page": b"<!doctype html><title>It works!</title>",
    "nothing": b"",
    "half a list": b'{"data": [{"id": "kelp"}',
    "a number": 7,
    "a sentence": "no models here",
    "an error under success": {"error": {"message": "no such endpoint"}},
    "another object": {"message": "Not Found", "status": "ok"},
    "deep nonsense": b"[" * 100_000,
    "bytes of no encoding": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("provider", ["lab", "openai", "anthropic", "google"])
async def test_a_list_of_any_shape_is_read(provider: str) -> None:
    for label, (body, expected) in LISTS.items():
        found = [model.id for model in await list_models(body, provider)]
        assert (label, found) == (label, expected)


@pytest.mark.parametrize("provider", ["lab", "anthropic", "google"])
async def test_an_answer_without_a_list_is_told_apart_from_no_answer(provider: str) -> None:
    for label, body in UNREADABLE.items():
        with pytest.raises(errors.ProviderError) as caught:
            await list_models(body, provider)
        assert (label, type(caught.value)) == (label, errors.UnreadableList)
        assert KEY not in caught.value.detail
    with pytest.raises(errors.ConnectionFailed):
        await get_adapter(provider, base_url="http://127.0.0.1:1/v1").list_models(Secret(KEY))


async def test_an_odd_row_of_googles_list_loses_no_other_one() -> None:
    kelp = {"name": "models/kelp", "displayName": "Kelp", "inputTokenLimit": "many"}
    odd = [None, 7, {"displayName": "no name"}, {"name": ["models/x"]}]
    wrack = {"name": "models/wrack", "supportedGenerationMethods": ["embedContent"]}
    dulse = {"name": "tunedModels/dulse", "supportedGenerationMethods": ["generateContent"]}
    models = await list_models({"models": [kelp, *odd, wrack, dulse]}, "google")
    assert models == (ModelInfo("kelp", "Kelp"), ModelInfo("tunedModels/dulse"))


@pytest.mark.parametrize("limit", [1000, "many"], ids=["read by the SDK", "not read by the SDK"])
async def test_all_pages_of_googles_list_are_read(limit: object) -> None:
    pages = {"": ("kelp", "p2"), "p2": ("wrack", "p3"), "p3": ("dulse", "")}

    def answer(path: str) -> tuple[int, bytes]:
        name, following = pages[path.partition("pageToken=")[2]]
        methods = ["generateContent"]
        row = {"name": f"models/{name}", "inputTokenLimit": limit}
        body = {
            "models": [row | {"supportedGenerationMethods": methods}],
            "nextPageToken": following,
        }
        return 200, json.dumps(body).encode()

    async with serve_list(answer) as (url, paths):
        models = await get_adapter("google", base_url=url).list_models(Secret(KEY))
    assert [model.id for model in models] == ["kelp", "wrack", "dulse"]
    from_sdk = [path for path in paths if "pageSize" not in path]
    assert len(from_sdk) == (3 if limit == 1000 else 1)
    assert len(paths) == (3 if limit == 1000 else 1 + 3)


async def test_a_server_that_repeats_googles_pages_does_not_list_for_ever() -> None:
    row = {"name": "models/kelp", "supportedGenerationMethods": ["generateContent"]}
    models = await list_models({"models": [row], "nextPageToken": "again"}, "google")
    assert [model.id for model in models] == ["kelp"]


@pytest.mark.parametrize("status", [401, 500])
async def test_an_error_keeps_its_class(status: int) -> None:
    with pytest.raises(errors.ProviderError) as caught:
        await list_models({"error": {"message": "no"}}, status=status)
    assert type(caught.value) is not errors.UnreadableList


async def test_the_window_of_llama_cpp_is_the_one_it_was_started_with() -> None:
    meta = {"n_ctx": 512, "n_ctx_train": 4096, "n_params": 115392}
    models = await list_models([{"id": "kelp", "meta": meta}, {"id": "wrack", "meta": None}])
    assert [model.context_window for model in models] == [512, None]


async def test_facts_are_read_under_the_names_that_servers_have() -> None:
    entry = {
        "id": "kelp",
        "display_name": "Kelp 8B",
        "max_model_len": 4096,
        "max_completion_tokens": "512",
        "deprecation": "2027-01-02T00:00:00Z",
        "type": "llm",
    }
    (model,) = await list_models([entry])
    assert model == ModelInfo(
        "kelp", "Kelp 8B", 4096, 512, shutdown=date(2027, 1, 2), writes_text=True
    )


async def test_a_list_beyond_the_limit_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streaming.providers.http.adapter.MAX_LIST_BYTES", 10_000)
    with pytest.raises(errors.UnreadableList):
        await list_models([{"id": "kelp", "description": "x" * 20_000}])


async def test_a_list_larger_than_an_event_is_read() -> None:
    entries = [{"id": f"kelp-{number}", "description": "x" * 1000} for number in range(3000)]
    assert len(await list_models(entries)) == 3000


@pytest.mark.parametrize(("provider", "cursor"), [("lab", "after"), ("anthropic", "after_id")])
async def test_all_pages_of_a_list_are_read(provider: str, cursor: str) -> None:
    pages = {"": ["a", "b"], "b": ["c"], "c": ["d"]}

    def answer(path: str) -> tuple[int, bytes]:
        after = path.partition(f"{cursor}=")[2].partition("&")[0]
        data = [{"id": id} for id in pages[after]]
        has_more = data[-1]["id"] != "d"
        ends = {"last_id": data[-1]["id"]} if after else {}  # some servers don't send it
        return 200, json.dumps({"data": data, "has_more": has_more, **ends}).encode()

    async with serve_list(answer) as (url, paths):
        models = await get_adapter(provider, base_url=url).list_models(Secret(KEY))
    assert [model.id for model in models] == ["a", "b", "c", "d"]
    assert len(paths) == 3


async def test_a_server_that_ignores_the_cursor_is_asked_twice_at_most() -> None:
    body = json.dumps({"data": [{"id": "kelp"}], "has_more": True, "last_id": "kelp"}).encode()
    async with serve_list(lambda path: (200, body)) as (url, paths):
        models = await get_adapter("lab", base_url=url).list_models(Secret(KEY))
    assert ([model.id for model in models], len(paths)) == (["kelp"], 2)


def test_a_name_that_is_left_out_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert model_list.parse_models(["x" * 301]) == []
    assert "unusable name" in caplog.text
    assert len(caplog.text) < 300


@pytest.mark.parametrize(
    "body",
    [
        {"fault": {"faultstring": "Invalid ApiKey", "detail": {"errorcode": "oauth.v2"}}},
        {"status": {"code": 401, "message": "Unauthorized"}},
        {"Response": {"Error": {"Code": "AuthFailure"}}},
        {"header": {"code": 10013}, "payload": {}},
        {"data": {"kelp": ["a"], "dulse": ["b"]}},
        {"data": {"kelp-1": None}},
    ],
    ids=str,
)
def test_the_keys_of_another_answer_are_no_models(body: dict[str, Any]) -> None:
    with pytest.raises(errors.UnreadableList):
        model_list.parse_models(body)


@pytest.mark.parametrize("name", ["model_id", "modelId", "modelName", "uid"])
async def test_a_name_is_found_in_other_fields(name: str) -> None:
    (model,) = await list_models({"data": [{name: "kelp"}, {name: 7}]})
    assert model.id == "kelp"


@pytest.mark.parametrize("entries", [[{"label": "Kelp"}], [[{"id": "kelp"}]], [1, 2]], ids=str)
async def test_a_list_without_any_name_cannot_be_read(entries: list[Any]) -> None:
    with pytest.raises(errors.UnreadableList):
        await list_models({"data": entries})
