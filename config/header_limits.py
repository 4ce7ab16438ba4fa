"""Limits of headers, of the time of a body and of frames of a socket, the same on both servers."""

from __future__ import annotations

HEADER_TIMEOUT_SECONDS = 20
"""The time for the headers of a request. For the first request it starts with the connection, for a
later one with its first byte."""

BODY_TIMEOUT_SECONDS = 120
"""The time in which a body must arrive."""

MAX_HEADER_BYTES = 64 * 1024
"""The maximum size of headers. Daphne and h11 have limits of their own, of 16 KB."""

MAX_FRAME_BYTES = 16 * 1024
"""The maximum size of a message of a socket; a client may leave one unfinished on each. The longest
valid frame fits, whichever characters it has."""
