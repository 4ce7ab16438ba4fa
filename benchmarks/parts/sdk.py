"""The cost of a provider's SDK alone, and of a worker that uses it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from benchmarks import cpu
from benchmarks.outcome import Outcome, Stage, divide
from benchmarks.running import TAIL_SECONDS, TOKENS_PER_SECOND
from benchmarks.subjects.holdfast import Holdfast
from tools.services.helper_process import Child

PART = "sdk"
STREAMS = 40
LEAD_SECONDS = 3.5
"""Seconds until every stream runs: Python loads the SDK, and a worker claims."""
SDK_SUBJECT = "the openai SDK alone"


@contextmanager
def run_provider(count: int, rate: float = TOKENS_PER_SECOND) -> Iterator[str]:
    """Start a minimal provider whose replies have this number of tokens. Return its address."""
    order = json.dumps({"rate": rate, "count": count})
    with Child("provider", sys.executable, "-m", "benchmarks.provider", order) as child:
        yield f"http://127.0.0.1:{child.read_answer()['port']}/v1"


def measure(stage: Stage, outcome: Outcome) -> None:
    seconds = stage.options.seconds
    count = int(TOKENS_PER_SECOND * (LEAD_SECONDS + seconds + TAIL_SECONDS))
    with run_provider(count) as url, Holdfast("uvicorn") as subject:
        for _ in range(stage.options.slow_rounds):
            sdk_cost = measure_sdk_alone(url, seconds, count)
            worker_cost = measure_worker(subject, url, seconds)
            outcome.add_figure(PART, divide(worker_cost, sdk_cost))
            for name, cost in ((SDK_SUBJECT, sdk_cost), (subject.name, worker_cost)):
                figures = {"us_per_token": round(cost, 1)}
                outcome.add_sample(PART, f"{STREAMS} streams × 50/s", name, figures)
                print(f"  {name:<24} {cost:6.1f} µs a token", flush=True)


def measure_sdk_alone(url: str, seconds: float, count: int) -> float:
    order = json.dumps({"url": url, "streams": STREAMS})
    with Child("sdk", sys.executable, "-m", "benchmarks.bare_sdk", order) as child:
        cost = measure_cpu_per_token({"sdk": child.pid}, seconds)
        deltas = child.read_answer()
    assert deltas == STREAMS * count, f"the SDK read {deltas} deltas of {STREAMS * count}"
    return cost


def measure_worker(subject: Holdfast, url: str, seconds: float) -> float:
    subject.start_sources([{"openai": url}] * STREAMS)
    cost = measure_cpu_per_token({"worker": subject.processes["worker"]}, seconds)
    subject.wait_until_idle()
    return cost


def measure_cpu_per_token(processes: Mapping[str, int], seconds: float) -> float:
    """Return the microseconds of CPU for a token, while all streams run at their rate."""
    time.sleep(LEAD_SECONDS)
    before = cpu.read_times(processes)
    time.sleep(seconds)
    cpu_seconds = cpu.subtract_times(before, cpu.read_times(processes))
    return 1e6 * sum(cpu_seconds.values()) / (STREAMS * TOKENS_PER_SECOND * seconds)
