"""The attackers, in a process of their own on one core.

Their order arrives on standard input as a line of JSON, and their results go to standard output.
They send to loopback only, for a limited time.
"""

import asyncio
import json
import os
import random
import sys
import time

from tests.chaos.attack_modes import HOLDING_ACTIONS, MIX_SHARES, MIXES, MODES, Action
from tests.chaos.attack_modes.client import Attackers, AttackOrder

HARMLESS_ERRORS = (OSError, EOFError, TimeoutError, ValueError)
"""The server refuses, closes or does not answer."""


async def attack(attackers: Attackers) -> None:
    order = attackers.order
    deadline = time.monotonic() + order.seconds
    attackers.generator = random.Random(order.seed)
    chosen = [*MIXES[order.mode].values()] if order.mode in MIXES else [MODES[order.mode]]
    share = MIX_SHARES.get(order.mode, 1)
    await asyncio.gather(
        *(
            _repeat(attackers, action, pause, deadline)
            for actions in chosen
            for action, copies, pause in actions
            for _ in range(copies if action in HOLDING_ACTIONS else -(-copies // share))
        )
    )


async def _repeat(attackers: Attackers, action: Action, pause: float, deadline: float) -> None:
    await asyncio.sleep(attackers.generator.random())
    while (left := deadline - time.monotonic()) > 0:
        try:
            async with asyncio.timeout(left):
                await action(attackers)
        except HARMLESS_ERRORS as error:
            attackers.counts[f"{action.__name__} {type(error).__name__}"] += 1
            await asyncio.sleep(0.05)
        await asyncio.sleep(pause)


def main() -> None:
    order = AttackOrder(**json.loads(sys.stdin.readline()))
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    attackers = Attackers(order)
    asyncio.run(attack(attackers))
    print(json.dumps({"counts": attackers.counts, "samples": attackers.samples}), flush=True)


if __name__ == "__main__":
    main()
