"""A provider on loopback that answers as scripted, fails on demand and records everything.

`Fake.start()` runs it in a thread, `Fake.spawn()` as a process of its own, and `python -m
tools.fake_provider` by hand. Each wire is one file with a class like `openai_chat.OpenAIChat`,
listed in `server.WIRES`.
"""

from tools.fake_provider.behaviour import Behaviour, ErrorAnswer, Piece, Record, Usage
from tools.fake_provider.client import Fake

__all__ = ["Behaviour", "ErrorAnswer", "Fake", "Piece", "Record", "Usage"]
