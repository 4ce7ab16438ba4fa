"""The addresses of programs. A token counts there, and there are no forms."""

from __future__ import annotations

API_PATH = "/api/"
API_PATHS = (API_PATH, "/v1/")
