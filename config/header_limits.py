"""Bounds of what comes before the body of a request, and of the frames of a socket, the same on
either server."""

from __future__ import annotations

HEADER_TIMEOUT_SECONDS = 20
"""How long the headers of a request may take: those of the first one after the connection was made,
those of a later one after its first byte."""

MAX_HEADER_BYTES = 64 * 1024
"""How long headers may be. Daphne and h11 have bounds of their own, of 16 KB."""

MAX_FRAME_BYTES = 16 * 1024
"""Of a message of a socket; a client may leave one unfinished on each. It holds the characters that
a frame may have, of whatever kind they are."""
