"""Pydantic AI: asks for a background response or goes on with one, and reports what it gets. It
goes on by itself after a body that ends properly without its end."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse
from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

RETRIES = 8
"""Enough for the SDK to wait for a restart of the server."""


def report(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def build_history(task: dict[str, Any]) -> list[ModelMessage] | None:
    """Build the history that a program stores, so that another one can go on."""
    if "id" not in task:
        return None
    suspended = ModelResponse(
        [],
        model_name=task["model"],
        provider_name="openai",
        provider_response_id=task["id"],
        provider_details={"background": True, "last_sequence_number": task["after"]},
        state="suspended",
    )
    return [ModelRequest.user_text_prompt(task["question"]), suspended]


async def follow(agent: Agent, task: dict[str, Any]) -> None:
    history = build_history(task)
    question = None if history else task["question"]
    text = ""
    async with agent.run_stream(question, message_history=history) as result:
        async for delta in result.stream_text(delta=True, debounce_by=None):
            text += delta
            report(text=text, id=result.response.provider_response_id)
        values, response = await result.get_output(), result.response
        report(text=text, values=values, end=(response.provider_details or {}).get("finish_reason"))


async def main(task: dict[str, Any]) -> None:
    client = AsyncOpenAI(base_url=f"{task['url']}/v1", api_key=task["token"], max_retries=RETRIES)
    if task.get("stop"):
        report(text="", end=(await client.responses.cancel(task["id"])).status)
        return
    settings = OpenAIResponsesModelSettings(openai_background=True)
    provider = OpenAIProvider(openai_client=client)
    model = OpenAIResponsesModel(task["model"], provider=provider, settings=settings)
    agent = Agent(model)
    if output := task.get("tool_output"):

        @agent.tool_plain
        def get_weather(city: str) -> str:
            """Get the weather of a city."""
            report(city=city)
            return str(output)

    try:
        await follow(agent, task)
    except Exception as error:  # its kinds differ, and the test looks at the sentence
        report(error=f"{type(error).__name__}: {error}")


asyncio.run(main(json.load(sys.stdin)))
