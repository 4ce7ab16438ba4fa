"""The worker: `python -m benchmarks.usual [full]`."""

from __future__ import annotations

import asyncio
import sys

import django


def main() -> None:
    django.setup()
    from benchmarks.usual.worker import Worker, serve

    asyncio.run(serve(Worker("full" in sys.argv)))


if __name__ == "__main__":
    main()
