"""The API of streams: their state, their chunks, and a stop. Their live events are at
`/api/streams/<id>/events`, outside Django's views (streaming/doors/sse)."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from django.http import HttpRequest
from ninja import Router

from chat import access
from chat.api import outputs, schemas
from chat.api.auth import ApiUser, get_user
from chat.api.idempotency import check_key
from streaming import lifecycle
from streaming.follow import START_CURSOR, read_page

router = Router(auth=ApiUser(), tags=["streams"])


@router.get("/{uuid:id}", response=schemas.StreamOut, by_alias=True)
def read_stream(request: HttpRequest, id: UUID) -> object:
    return outputs.build_stream(access.get_stream_or_404(get_user(request), id))


@router.get("/{uuid:id}/chunks", response=schemas.ChunkPage, by_alias=True)
def list_chunks(request: HttpRequest, id: UUID, after: schemas.Cursor = START_CURSOR) -> object:
    """The chunks after an index, as many as fit; ask again after the last one for more."""
    stream = access.get_stream_or_404(get_user(request), id)
    chunks, is_snapshot = read_page(stream, after)
    stream.refresh_from_db()
    return schemas.ChunkPage(
        chunks=[schemas.ChunkOut(**asdict(chunk)) for chunk in chunks],
        is_snapshot=is_snapshot,
        stream=outputs.build_stream(stream),
    )


@router.post("/{uuid:id}/stop", response=schemas.StreamOut, by_alias=True)
def stop_stream(request: HttpRequest, id: UUID, body: schemas.NoFields | None = None) -> object:
    """Stop a reply, and keep its text. One that has ended stays as it is."""
    check_key(request)
    stream = access.get_stream_or_404(get_user(request), id)
    lifecycle.stop(stream.pk)
    stream.refresh_from_db()
    return outputs.build_stream(stream)
