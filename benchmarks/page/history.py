"""Measure the first screen of a conversation of a thousand messages, from a real deployment."""

from uuid import UUID

from playwright.sync_api import Page, expect

from tools.deployment.deployment import Deployment
from tools.deployment.http_user import Person
from tools.waiting import until

MESSAGES = 1000

ADD_MESSAGES = """
from chat.models import Conversation, Message
from streaming.providers.demo.prose import compose_reply
chat = Conversation.objects.get(pk="{chat}")
messages, parent = [], chat.messages.get(pk=chat.current_leaf_id)
for number in range({count}):
    role = ("user", "assistant")[number % 2]
    text = compose_reply(f"number {{number}}")[:1500] if number % 2 else f"Question {{number}}?"
    parent = Message(conversation=chat, parent=parent, role=role, content=text, model="demo",
                     is_complete=True)
    messages.append(parent)
Message.objects.bulk_create(messages)
Conversation.objects.filter(pk=chat.pk).update(current_leaf=parent)
"""


def create_conversation(deployment: Deployment, person: Person) -> str:
    """Create such a conversation for `person`. Return its address."""
    stream = deployment.send(person, "Begin.")
    until(lambda: deployment.rows.stream(stream)["state"] == "completed", within=30)
    chat = UUID(str(deployment.rows.message(stream)["conversation_id"]))
    deployment.manage("shell", "-c", ADD_MESSAGES.format(chat=chat, count=MESSAGES - 2))
    return f"/c/{chat}/"


def measure_first_screen(page: Page, address: str) -> int:
    """Return the milliseconds of the main thread until the conversation can be read, with its code
    buttons.

    The time of Chromium's own tools is left out.
    """
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(address)
    expect(page.get_by_role("button", name="Copy code").last).to_be_visible()
    metrics = session.send("Performance.getMetrics")["metrics"]
    times_ms = {metric["name"]: round(metric["value"] * 1000) for metric in metrics}
    return times_ms["TaskDuration"] - times_ms["DevToolsCommandDuration"]
