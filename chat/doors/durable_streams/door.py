"""The door as the site includes it."""

from chat.api.problems import encode_problem
from chat.doors.durable_streams import protocol
from chat.doors.durable_streams.requests import PATH
from chat.doors.registry import Door

DOOR = Door(
    path=PATH,
    urls="chat.doors.durable_streams.urls",
    encode_error=encode_problem,
    reply_paths="",
    headers=protocol.REQUEST_HEADERS,
    answers=protocol.ANSWER_HEADERS,
)
