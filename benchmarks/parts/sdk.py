"""The cost of a provider's SDK alone, and of a worker that uses it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from benchmarks import cpu
from benchmarks.outcome import Outcome, Stage, ratio
from benchmarks.running import RATE, REST
from benchmarks.subjects.holdfast import Holdfast
from tools.services.helper_process import Child

PART = "sdk"
STREAMS = 40
LEAD = 3.5
"""Seconds until every stream runs: Python loads the SDK, and a worker claims."""
SDK = "the openai SDK alone"


@contextmanager
def provider(count: int, rate: float = RATE) -> Iterator[str]:
    """Start a minimal provider whose replies have this number of tokens. Return its address."""
    order = json.dumps({"rate": rate, "count": count})
    with Child("provider", sys.executable, "-m", "benchmarks.provider", order) as child:
        yield f"http://127.0.0.1:{child.hear()['port']}/v1"


def measure(stage: Stage, outcome: Outcome) -> None:
    seconds = stage.options.seconds
    count = int(RATE * (LEAD + seconds + REST))
    with provider(count) as url, Holdfast("uvicorn") as subject:
        for _ in range(stage.options.few):
            alone = alone_costs(url, seconds, count)
            worker = worker_costs(subject, url, seconds)
            outcome.figure(PART, ratio(worker, alone))
            for name, cost in ((SDK, alone), (subject.name, worker)):
                told = {"us_per_token": round(cost, 1)}
                outcome.keep(PART, f"{STREAMS} streams × 50/s", name, told)
                print(f"  {name:<24} {cost:6.1f} µs a token", flush=True)


def alone_costs(url: str, seconds: float, count: int) -> float:
    order = json.dumps({"url": url, "streams": STREAMS})
    with Child("sdk", sys.executable, "-m", "benchmarks.bare_sdk", order) as child:
        cost = per_token({"sdk": child.pid}, seconds)
        read = child.hear()
    assert read == STREAMS * count, f"the SDK read {read} deltas of {STREAMS * count}"
    return cost


def worker_costs(subject: Holdfast, url: str, seconds: float) -> float:
    subject.run([{"openai": url}] * STREAMS)
    cost = per_token({"worker": subject.processes["worker"]}, seconds)
    subject.settle()
    return cost


def per_token(processes: Mapping[str, int], seconds: float) -> float:
    """Return the microseconds of CPU for a token, while all streams run at their rate."""
    time.sleep(LEAD)
    before = cpu.used(processes)
    time.sleep(seconds)
    spent = cpu.spent(before, cpu.used(processes))
    return 1e6 * sum(spent.values()) / (STREAMS * RATE * seconds)
