"""Makes a reply visible at the doors that show only what was asked for through them."""

from __future__ import annotations

from uuid import uuid5

from chat.doors.ag_ui.protocol import DOOR_NAME as AG_UI
from chat.doors.ag_ui.views import NAMESPACE
from chat.doors.ai_sdk.threads import DOOR as AI_SDK
from chat.doors.langgraph.protocol import DOOR_NAME as LANGGRAPH
from chat.models import ClientThread, GatewayResponse, Message
from streaming.models import Stream


def offer_everywhere(stream: Stream) -> None:
    """Its uuid is the name of its thread, and that of its run."""
    answer = Message.objects.get(pk=stream.arguments["message"])
    GatewayResponse.objects.create(
        stream=stream,
        user=stream.owner,
        conversation=answer.conversation,
        answer=answer,
        parameters={"model": "demo"},
    )
    for door in (AI_SDK, LANGGRAPH, AG_UI):
        ClientThread.objects.create(
            user=stream.owner, door=door, name=str(stream.uuid), conversation=answer.conversation
        )
    request_id = uuid5(NAMESPACE, f"{stream.owner.pk} {stream.uuid}")
    Stream.objects.filter(pk=stream.pk).update(request_id=request_id)
