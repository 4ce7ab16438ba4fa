"""A provider on loopback that answers as scripted, misbehaves on demand and remembers everything.

`Fake.start()` runs it in a thread, `Fake.spawn()` as a process of its own, and
`python -m tests.fakes` by hand. Each wire that it speaks is one file with a class like
`openai_chat.OpenAIChat`, listed in `server.WIRES`.
"""

from .behaviour import Behaviour, ErrorAnswer, Piece, Record, Usage
from .client import Fake

__all__ = ["Behaviour", "ErrorAnswer", "Fake", "Piece", "Record", "Usage"]
