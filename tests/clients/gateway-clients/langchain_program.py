"""LangChain's model of OpenAI: streams a response and reports what it gets."""

from __future__ import annotations

import json
import sys
from typing import Any

from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI


def report(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def follow(task: dict[str, Any]) -> None:
    model = ChatOpenAI(
        model=task["model"],
        base_url=f"{task['url']}/v1",
        api_key=task["token"],
        use_responses_api=True,
    )
    messages: list[Any] = [HumanMessage(task["question"])]
    if output := task.get("tool_output"):
        calling = read_reply(model.bind_tools([get_weather]), messages)
        messages.append(calling)
        for call in calling.tool_calls:
            report(city=call["args"]["city"])
            messages.append(ToolMessage(output, tool_call_id=call["id"]))
    whole = read_reply(model, messages)
    report(text=whole.text, values=whole.text, end=whole.response_metadata.get("status"))


def get_weather(city: str) -> None:
    """Get the weather of a city."""  # only described here: the program answers the calls itself


def read_reply(model: Any, messages: list[Any]) -> AIMessageChunk:
    text, whole = "", AIMessageChunk("")
    for chunk in model.stream(messages):
        whole += chunk
        if id := chunk.response_metadata.get("id"):
            report(id=id)
        if added := chunk.text:
            text += added
            report(text=text)
    return whole


try:
    follow(json.load(sys.stdin))
except Exception as error:  # its kinds differ, and the test looks at the sentence
    report(error=f"{type(error).__name__}: {error}")
