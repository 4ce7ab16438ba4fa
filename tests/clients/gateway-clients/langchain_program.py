"""LangChain's model of OpenAI: streams a response and reports what it gets."""

from __future__ import annotations

import json
import sys
from typing import Any

from langchain_core.messages import AIMessageChunk
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
    text, whole = "", AIMessageChunk("")
    for chunk in model.stream(task["question"]):
        whole += chunk
        if id := chunk.response_metadata.get("id"):
            report(id=id)
        if added := chunk.text:
            text += added
            report(text=text)
    report(text=text, values=whole.text, end=whole.response_metadata.get("status"))


try:
    follow(json.load(sys.stdin))
except Exception as error:  # its kinds differ, and the test looks at the sentence
    report(error=f"{type(error).__name__}: {error}")
