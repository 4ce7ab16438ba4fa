"""The JSON API for programs: see docs/api.md."""
