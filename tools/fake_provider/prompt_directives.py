"""The fake's reply to a prompt without a script: people can request its faults in the prompt."""

import re

from tools.fake_provider.behaviour import Behaviour, ErrorAnswer, Piece

HELP = """\
Put one of these into a message, and the fake obeys:
  !status 429      an error instead of a reply: any status; 429 asks to wait 3 s
  !error 5         an error as an event of the stream, after 5 deltas
  !cut 5           the connection drops after 5 deltas
  !end 5           the body ends after 5 deltas, without an end marker
  !stall 5         silence after 5 deltas
  !wait 8          8 seconds before the first delta
  !slow            five deltas a second
  !think           reasoning before the text
  !refuse          a refusal
  !length          the reply ends for its length
  !odd crlf        an oddity of real servers; a model named odd-crlf does the same
"""
_ODD = re.compile(r"!odd ([a-z-]+)")
_DIRECTIVE = re.compile(r"!([a-z]+)(?: (\d{1,4}))?")


def default_reply(prompt: str) -> Behaviour:
    """Return the prompt and a few hundred numbered words after it, or the reply that its directives
    request."""
    words = [f"You said: {prompt}\n\n", *(f"word {number}, " for number in range(1, 301)), "done."]
    directives = {name: int(count or 0) for name, count in _DIRECTIVE.findall(prompt)}
    pieces = tuple(Piece(word) for word in words)
    if "think" in directives:
        pieces = tuple(Piece(f"thought {number}, ", "reasoning") for number in range(9)) + pieces
    if "refuse" in directives:
        pieces = (Piece("I'd rather not.", "refusal"),)
    odd = _ODD.search(prompt)
    status = directives.get("status", 0)
    error_answer = ErrorAnswer(status, headers={"retry-after": "3"} if status == 429 else {})
    return Behaviour(
        pieces=pieces,
        odd=odd[1] if odd else "",
        first_delay=float(directives.get("wait", 0)),
        delay=0.2 if "slow" in directives else 0.0,
        finish="length" if "length" in directives else "stop",
        error=error_answer if 400 <= status < 600 else None,
        error_after=directives.get("error"),
        cut_after=directives.get("cut"),
        end_after=directives.get("end"),
        stall_after=directives.get("stall"),
    )
