"""A process with a deployment's database, and no part of it: an order a line in, an answer out."""

from __future__ import annotations

import json
import sys

import django


def main() -> None:
    django.setup()
    from benchmarks.engine.desk import ORDERS

    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(ORDERS[order.pop("do")](**order)), flush=True)


if __name__ == "__main__":
    main()
