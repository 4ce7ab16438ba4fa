"""The people who may use each address and each message of the socket. An address that is missing
here fails the tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from django.urls import URLPattern, URLResolver, get_resolver

Audience = Literal["everybody", "signed in"]
Thing = Literal[
    "conversation",
    "deleted",
    "question",
    "answer",
    "stream",
    "draft",
    "passkey",
    "session",
    "linked account",
    "token",
    "response",
    "program conversation",
    "item",
    "webhook",
    "delivery",
    "thread",
    "",
]
"""The object that the address or the form names; empty: none, so everybody gets only what is
theirs."""


@dataclass(frozen=True)
class Route:
    """One address: who may use it, the object that it names, and what its owner gets. `id_field` is
    the field of the form that names the object; empty: the address does."""

    audience: Audience
    thing: Thing = ""
    method: Literal["GET", "POST", "PATCH", "DELETE"] = "GET"
    form: dict[str, Any] = field(default_factory=dict)
    """Of the API and of other protocols: the fields of the JSON."""
    kwargs: dict[str, str] = field(default_factory=dict)
    owner_status: int = 200
    id_field: str = ""


THREAD_ID = "1b7f6a0e-52a1-4e3c-9f0b-6d1f0f7a9c11"
"""A thread of the owner in the door of LangGraph."""
REQUEST_ID = "5c9d3f9e-7b3c-4ab0-9d7e-0a4d4ce2c7c1"
MESSAGE = {"text": "And the moon?", "model": "demo", "request_id": REQUEST_ID}
DRAFT = {"base": "0", "version": "1", "writer": REQUEST_ID, "text": "Unsent"}

QUESTION = {"text": "And the moon?", "model": "demo"}
RUN = {"assistant_id": "demo", "input": {"messages": [{"role": "user", "content": "And?"}]}}
AGENT_INPUT = {
    "threadId": "thread",
    "runId": "run",
    "messages": [{"id": "1", "role": "user", "content": "And the moon?"}],
    "forwardedProps": {"model": "demo"},
}
IN_THREAD = {"thread": THREAD_ID}
BACKGROUND = {"input": "And the moon?", "model": "demo", "background": True}
UI_MESSAGE = {"id": "m", "role": "user", "parts": [{"type": "text", "text": "And the moon?"}]}

ROUTES: dict[str, Route] = {
    # Pages of the chat
    "home": Route("everybody"),
    "start": Route("signed in", method="POST", form=MESSAGE, owner_status=302),
    "sidebar": Route("signed in"),
    "drafts": Route("signed in"),
    "draft": Route("signed in", "draft", "POST", DRAFT),
    "theme": Route("everybody", method="POST", form={"theme": "dark"}, owner_status=302),
    "type": Route("everybody", method="POST", form={"type": "sans"}, owner_status=302),
    "script-catalog": Route("everybody", kwargs={"language": "en-gb"}),
    # A conversation and its messages
    "conversation": Route("signed in", "conversation"),
    "earlier": Route("signed in", "conversation", owner_status=404),  # it is complete
    "send": Route("signed in", "conversation", "POST", MESSAGE, owner_status=302),
    "menu": Route("signed in", "conversation"),
    "title": Route("signed in", "conversation", "POST", {"title": "Mine"}, owner_status=302),
    "pin": Route("signed in", "conversation", "POST", {"pinned": "yes"}, owner_status=302),
    "reading": Route("signed in", "conversation", "POST", owner_status=302),
    "deletion": Route("signed in", "conversation", "POST", owner_status=302),
    "restoration": Route("signed in", "deleted", "POST", owner_status=302),
    "message": Route("signed in", "answer"),
    "place": Route("signed in", "answer", owner_status=302),
    "edit": Route("signed in", "question"),
    "versions": Route("signed in", "question", "POST", MESSAGE, owner_status=302),
    "continuations": Route(
        "signed in", "answer", "POST", {"request_id": REQUEST_ID}, owner_status=422
    ),
    "stop": Route("signed in", "stream", "POST", owner_status=302),
    # Settings
    "account": Route("signed in"),
    "sessions": Route("signed in"),
    "session-end": Route("signed in", "session", "POST", id_field="session", owner_status=302),
    "data": Route("signed in"),
    "activity": Route("signed in"),
    "account-deletion": Route("signed in", owner_status=302),  # asks for the password
    "account-deletion-begun": Route("everybody"),
    "tokens": Route("signed in"),
    "token-revocation": Route("signed in", "token", "POST", id_field="token", owner_status=302),
    "webhooks": Route("signed in"),
    "webhook": Route("signed in", "webhook"),
    "webhook-secret": Route("signed in", "webhook", "POST", owner_status=302),  # asks, too
    "webhook-switch": Route("signed in", "webhook", "POST", {"active": "no"}, owner_status=302),
    "webhook-removal": Route("signed in", "webhook", "POST", owner_status=302),
    "webhook-resending": Route("signed in", "delivery", "POST", owner_status=302),
    "replies": Route("signed in"),
    "keys": Route("signed in"),
    "key": Route(
        "signed in",
        method="POST",
        form={"key": ""},
        kwargs={"provider": "openai"},
        owner_status=422,
    ),
    "key-check": Route("signed in", method="POST", kwargs={"provider": "google"}, owner_status=302),
    "key-removal": Route(
        "signed in", method="POST", kwargs={"provider": "google"}, owner_status=302
    ),
    # Accounts
    "account_login": Route("everybody", owner_status=302),
    "account_logout": Route("everybody"),
    "account_signup": Route("everybody", owner_status=302),
    "account_signup_by_passkey": Route("everybody", owner_status=404),  # needs a mail server
    # Sign-in with other servers, of which none is configured here
    "github_login": Route("everybody", owner_status=404),
    "github_callback": Route("everybody", owner_status=404),
    "openid_connect_login": Route("everybody", kwargs={"provider_id": "work"}, owner_status=404),
    "openid_connect_callback": Route("everybody", kwargs={"provider_id": "work"}, owner_status=404),
    "socialaccount_signup": Route("everybody", owner_status=302),
    "socialaccount_login_cancelled": Route("everybody"),
    "socialaccount_confirmation": Route("signed in"),
    "socialaccount_connections": Route(
        "signed in", "linked account", "POST", id_field="linked", owner_status=302
    ),
    "invitation": Route("everybody", kwargs={"token": "unknown"}, owner_status=302),
    "account_inactive": Route("everybody"),
    "account_reauthenticate": Route("signed in"),
    "account_email": Route("signed in"),
    "account_email_verification_sent": Route("everybody"),
    "account_confirm_email": Route("everybody", kwargs={"key": "no-such-key"}),
    "account_request_login_code": Route("everybody", owner_status=404),  # needs a mail server
    "account_confirm_login_code": Route("everybody", owner_status=302),
    "account_change_password": Route("signed in"),
    "account_set_password": Route("everybody", owner_status=302),
    "account_reset_password": Route("everybody"),
    "account_reset_password_done": Route("everybody"),
    "account_reset_password_from_key": Route("everybody", kwargs={"uidb36": "1", "key": "no-key"}),
    "account_reset_password_from_key_done": Route("everybody"),
    # Factors; the owner has not confirmed who it is
    "mfa_index": Route("signed in"),
    "mfa_authenticate": Route("everybody", owner_status=302),
    "mfa_reauthenticate": Route("signed in", owner_status=302),
    "mfa_activate_totp": Route("signed in", owner_status=302),
    "mfa_deactivate_totp": Route("signed in", owner_status=302),
    "mfa_generate_recovery_codes": Route("signed in", owner_status=302),
    "mfa_add_webauthn": Route("signed in", owner_status=302),
    "mfa_login_webauthn": Route("everybody", owner_status=302),
    "mfa_reauthenticate_webauthn": Route("signed in"),
    "mfa_edit_webauthn": Route("signed in", "passkey", owner_status=302),
    "mfa_remove_webauthn": Route("signed in", "passkey", owner_status=302),
    # The API
    "api:api-root": Route("everybody", owner_status=404),  # for names of addresses only
    "api:openapi-json": Route("everybody"),
    "api:asyncapi-json": Route("everybody"),
    "api:start_conversation": Route("signed in", method="POST", form=QUESTION, owner_status=201),
    "api:list_conversations": Route("signed in"),
    "api:read_conversation": Route("signed in", "conversation"),
    "api:change_conversation": Route("signed in", "conversation", "PATCH", {"title": "Mine"}),
    "api:delete_conversation": Route("signed in", "conversation", "DELETE", owner_status=204),
    "api:restore_conversation": Route("signed in", "deleted", "POST"),
    "api:list_messages": Route("signed in", "conversation"),
    "api:send_message": Route("signed in", "conversation", "POST", QUESTION, owner_status=201),
    "api:read_message": Route("signed in", "answer"),
    "api:create_version": Route("signed in", "question", "POST", QUESTION, owner_status=201),
    "api:continue_message": Route("signed in", "answer", "POST", owner_status=409),
    "api:read_stream": Route("signed in", "stream"),
    "api:list_chunks": Route("signed in", "stream"),
    "api:stop_stream": Route("signed in", "stream", "POST"),
    "api:list_webhooks": Route("signed in"),
    "api:create_webhook": Route(
        "signed in", method="POST", form={"address": "https://example.org/"}, owner_status=403
    ),  # asks for the password
    "api:read_webhook": Route("signed in", "webhook"),
    "api:renew_secret": Route("signed in", "webhook", "POST", owner_status=403),  # asks, too
    "api:change_webhook": Route("signed in", "webhook", "PATCH", {"isActive": False}),
    "api:delete_webhook": Route("signed in", "webhook", "DELETE", owner_status=204),
    "api:list_deliveries": Route("signed in", "webhook"),
    "api:retry_delivery": Route("signed in", "delivery", "POST"),
    "api:list_models": Route("signed in"),
    "api:check_model": Route("signed in", owner_status=422),
    "api:list_keys": Route("signed in"),
    # AG-UI
    "ag-ui:run": Route("signed in", method="POST", form=AGENT_INPUT),
    # LangGraph
    "langgraph:threads": Route("signed in", method="POST"),
    "langgraph:thread": Route("signed in", "thread"),
    "langgraph:runs": Route("signed in", "thread", "POST", RUN),
    "langgraph:new-stream": Route("signed in", "thread", "POST", RUN),
    "langgraph:new-wait": Route("signed in", "thread", "POST", RUN),
    "langgraph:run": Route("signed in", "stream", kwargs=IN_THREAD),
    "langgraph:stream": Route("signed in", "stream", kwargs=IN_THREAD),
    "langgraph:join": Route("signed in", "stream", kwargs=IN_THREAD),
    "langgraph:cancel": Route("signed in", "stream", "POST", kwargs=IN_THREAD, owner_status=202),
    "langgraph:missing": Route("everybody", owner_status=404),
    # The gateway, for programs
    "gateway:responses": Route("signed in", method="POST", form=BACKGROUND),
    "gateway:response": Route("signed in", "response"),
    "gateway:cancellation": Route("signed in", "response", "POST"),
    "gateway:input-items": Route("signed in", "response"),
    "gateway:conversations": Route("signed in", method="POST"),
    "gateway:conversation": Route("signed in", "program conversation"),
    "gateway:items": Route("signed in", "program conversation"),
    "gateway:item": Route("signed in", "item"),
    "gateway:chat-completions": Route("signed in", method="POST", owner_status=400),  # no messages
    "gateway:models": Route("signed in"),
    "gateway:model": Route("signed in", kwargs={"id": "demo"}),
    # Durable Streams, for programs
    "durable-stream": Route("signed in", kwargs={"name": "none"}, owner_status=404),
    "durable-reply": Route("signed in", "stream"),
    # Front ends of the AI SDK. The names of chats are those of each person.
    "ai-sdk:send": Route(
        "signed in", method="POST", form={"id": "c", "messages": [UI_MESSAGE], "model": "demo"}
    ),
    "ai-sdk:resume": Route("signed in", kwargs={"name": "c"}, owner_status=204),
    "ai-sdk:stop": Route("signed in", method="POST", kwargs={"name": "c"}, owner_status=204),
    "ai-sdk:messages": Route("signed in", kwargs={"name": "c"}),
}
"""By the name of the address. Those of the admin have a rule of their own."""

EVENT_STREAMS = {
    "/api/streams/{id}/events": "/api/streams/%s/events?wait=0",
    "/api/streams/events": "/api/streams/events?wait=0&follow=%s",
}
"""An address that names a stream, for each path of event streams. Django has no view for them."""

STREAM, CONVERSATION, ANSWER = "the stream", "the conversation", "the answer"
"""These stand for ids in the table below."""

SOCKET_MESSAGES: dict[str, dict[str, object]] = {
    "hello": {},
    "follow": {"stream": STREAM, "after": -1},
    "unfollow": {"stream": STREAM},
    "stop": {"stream": STREAM},
    "ping": {"n": 1},
    "pong": {"n": 1},
    "send": {"request": "1", "conversation": CONVERSATION, **QUESTION},
    "continue": {"request": "2", "message": ANSWER},
}
"""Each message that a client may send, with its fields."""

CHAT_SOCKET_MESSAGES: dict[str, dict[str, object]] = {
    "send": {"messages": [UI_MESSAGE], "body": {"model": "demo"}},
    "resume": {},
    "abort": {},
}
"""The same of the socket for front ends of the AI SDK, without the ids of the request and chat."""


def list_addresses() -> list[tuple[str, str]]:
    """The route and the name of each address. The first of two with the same route answers."""
    return list(dict.fromkeys(_walk(get_resolver().url_patterns)))


def _walk(
    patterns: Sequence[URLPattern | URLResolver], prefix: str = "", namespace: str = ""
) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route, f"{namespace}{pattern.name or ''}"
        else:
            own = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from _walk(pattern.url_patterns, route, namespace + own)
