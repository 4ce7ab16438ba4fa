"""A process with access to a deployment's database but no part of it: it reads an order per line
and answers it."""

from __future__ import annotations

import json
import sys

import django


def main() -> None:
    django.setup()
    from benchmarks.engine.orders import ORDERS

    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(ORDERS[order.pop("do")](**order)), flush=True)


if __name__ == "__main__":
    main()
