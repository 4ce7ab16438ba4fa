"""Replies of other servers on the pages of a deployment."""

from uuid import UUID

from tools.deployment.deployment import Deployment
from tools.waiting import until


def find_chat(deployment: Deployment) -> str:
    """Return the path of the newest conversation."""
    newest = "SELECT id FROM chat_conversation ORDER BY created_at DESC LIMIT 1"
    [row] = deployment.rows.query(newest)
    return f"/c/{UUID(str(row['id']))}/"


def wait_for_end(deployment: Deployment, stream: UUID) -> None:
    """Wait until a reply has ended, and fail unless it is complete."""
    running = ("queued", "running")
    until(
        lambda: deployment.rows.stream(stream)["state"] not in running,
        within=90,
        what="the reply ends",
    )
    row = deployment.rows.stream(stream)
    assert row["state"] == "completed", row
