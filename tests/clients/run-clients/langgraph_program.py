"""LangGraph's stock SDK for Python: starts a run or joins one, and reports what it gets. The SDK
goes on after a broken body by itself."""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from typing import Any

from langgraph_sdk import get_client


def report(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


async def main(task: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {task['token']}"}
    client = get_client(url=f"{task['url']}/api/langgraph", api_key=None, headers=headers)
    if task.get("stop"):
        await client.runs.cancel(task["thread"], task["run"], wait=True)
        report(end="stopped", text="")
        return
    mode = ["messages-tuple", "values"]
    if task.get("run"):
        after = task.get("after", "-1")
        parts = client.runs.join_stream(
            task["thread"], task["run"], stream_mode=mode, last_event_id=after
        )
    else:
        thread = (await client.threads.create())["thread_id"]
        report(thread=thread)
        question = {"messages": [{"role": "user", "content": task["question"]}]}
        if task.get("wait"):
            values: Any = await client.runs.wait(thread, task["model"], input=question)
            text = values["messages"][-1]["content"]
            report(end="success", text=text, values=text)
            return
        parts = client.runs.stream(thread, task["model"], input=question, stream_mode=mode)
    text, values = task.get("text", ""), ""
    async for part in parts:
        data: Any = part.data
        if part.event == "metadata":
            report(run=data["run_id"])
        elif part.event == "messages":
            text += data[0]["content"]
            report(text=text, id=part.id)
        elif part.event == "values":
            values = data["messages"][-1]["content"]
        elif part.event == "error":
            report(error=data["error"], text=text)
        elif part.event == "end":
            report(end=data["status"], text=text, values=values)


warnings.simplefilter("error")
warnings.filterwarnings("ignore", "Request failed, attempting reconnect")  # as it should
asyncio.run(main(json.load(sys.stdin)))
