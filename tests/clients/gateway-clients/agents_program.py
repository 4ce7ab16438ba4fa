"""OpenAI's Agents SDK: streams the response of an agent and reports what it gets."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from agents import (
    Agent,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_default_openai_client,
    set_tracing_disabled,
)
from openai import AsyncOpenAI


def report(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


async def follow(task: dict[str, Any]) -> None:
    client = AsyncOpenAI(base_url=f"{task['url']}/v1", api_key=task["token"])
    tools = []
    if output := task.get("tool_output"):

        @function_tool
        def get_weather(city: str) -> str:
            """Get the weather of a city."""
            report(city=city)
            return output

        tools.append(get_weather)
    # By a plain name the SDK knows the model, and sends the settings that it has for it.
    model = OpenAIResponsesModel(task["model"], client) if "/" in task["model"] else task["model"]
    set_default_openai_client(client)
    agent = Agent("Asker", model=model, tools=tools)
    text, end = "", ""
    result = Runner.run_streamed(agent, task["question"])
    async for event in result.stream_events():
        if event.type != "raw_response_event":
            continue
        data = event.data
        if data.type == "response.created":
            report(id=data.response.id)
        elif data.type == "response.output_text.delta":
            text += data.delta
            report(text=text, after=data.sequence_number)
        elif data.type == "response.completed":
            end = data.response.status
    report(text=text, values=result.final_output, end=end)


async def main(task: dict[str, Any]) -> None:
    set_tracing_disabled(True)  # traces would go to OpenAI
    try:
        await follow(task)
    except Exception as error:  # its kinds differ, and the test looks at the sentence
        report(error=f"{type(error).__name__}: {error}")


asyncio.run(main(json.load(sys.stdin)))
