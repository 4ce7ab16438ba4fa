"""The replies that the tests write, as a worker."""

from __future__ import annotations

from chat.models import Message
from chat.replies import Reply
from streaming import lifecycle
from streaming.events import Finish
from streaming.lifecycle import Ending
from streaming.lifecycle.notifications import notify_ended
from streaming.models import Stream
from tests.chat.factories import write_reply
from tests.doors.ai_sdk.client import (
    build_message,
)
from tests.streaming.factories import reload_stream

QUESTION = build_message("msg-1", "Why do tides lag the moon?")
TEXT = "Because of friction,\n\nand of the shape of the sea \N{WATER WAVE}."


def find_newest_reply() -> Reply:
    stream = Stream.objects.latest("id")
    answer = Message.objects.select_related("parent", "conversation").get(stream=stream)
    assert answer.parent
    return Reply(answer.conversation, answer.parent, answer, stream)


def finish_newest(text: str = TEXT, ending: Ending | None = None) -> Reply:
    reply = find_newest_reply()
    end_stream(write_reply(reply, text), ending)
    return reply


def end_stream(stream: Stream, ending: Ending | None = None) -> None:
    """End it as a worker does, which notifies the followers."""
    assert lifecycle.end(stream.pk, stream.epoch, ending or Ending.from_finish(Finish("stop")))
    notify_ended(reload_stream(stream))
