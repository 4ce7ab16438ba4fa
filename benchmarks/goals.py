"""The goals as data: each line of the table, and the figure of a run that it judges."""

from __future__ import annotations

from dataclasses import dataclass

UVICORN, DAPHNE, STACK = "Holdfast, Uvicorn", "Holdfast, Daphne", "Holdfast, Uvicorn 2+2"
DEFLATE = "Holdfast, Uvicorn deflate"
RESUMABLE = "resumable-stream"
FILE, MEMORY = "durable-streams, file", "durable-streams, memory"
USUAL, SKETCH = "usual Django", "original sketch"


@dataclass(frozen=True, slots=True)
class Goal:
    """`figure` is its name among a run's figures. The goal is met if the figure is not above the
    limits, or not below them if `more` is better."""

    figure: str
    label: str
    must: float
    aim: float
    unit: str = ""
    more: bool = False

    def is_met(self, value: float, limit: float) -> bool:
        return value >= limit if self.more else value <= limit


GOALS = (
    Goal("cpu/100/uvicorn/rs", f"CPU a token ÷ {RESUMABLE}, 100 streams, Uvicorn", 0.60, 0.40),
    Goal("cpu/100/daphne/rs", f"CPU a token ÷ {RESUMABLE}, 100 streams, Daphne", 0.95, 0.70),
    Goal("cpu/250/uvicorn/rs", f"CPU a token ÷ {RESUMABLE}, 250 streams, Uvicorn", 0.40, 0.25),
    Goal("cpu/100/uvicorn/file", f"CPU a token ÷ {FILE}", 0.10, 0.05),
    Goal("cpu/10/uvicorn/usual", f"CPU a token ÷ {USUAL}, 10 streams", 0.20, 0.10),
    Goal(
        "sustained/uvicorn/usual",
        f"tokens/s with p99 under 100 ms ÷ {USUAL}",
        30,
        60,
        more=True,
    ),
    Goal("doors/events", "web process's CPU a token, event streams ÷ sockets, Uvicorn", 1.3, 1.1),
    Goal("doors/gateway", "web process's CPU a token, gateway ÷ sockets, Uvicorn", 1.6, 1.3),
    Goal("p99/100/uvicorn", "added latency p99, 100 streams", 100, 40, "ms"),
    Goal("p50/10/uvicorn", "added latency p50, 10 streams", 15, 3, "ms"),
    Goal("p50/1/uvicorn", "added latency p50, 1 stream", 15, 3, "ms"),
    Goal("resume/2000", f"resume of 2,000 chunks ÷ {RESUMABLE}", 1.1, 0.8),
    Goal("resume/20000", f"resume of 20,000 chunks ÷ {RESUMABLE}", 0.8, 0.5),
    Goal("herd/uvicorn", f"herd, 200 × 2,000 chunks ÷ {RESUMABLE}, Uvicorn", 2.5, 1.3),
    Goal("herd/daphne", f"herd, 200 × 2,000 chunks ÷ {RESUMABLE}, Daphne", 4.5, 3.0),
    Goal("stored/100", "bytes stored a token, live, 100 streams", 80, 60, "B"),
    Goal("stored/250", "bytes stored a token, live, 250 streams", 45, 35, "B"),
    Goal("stored/folded", "bytes stored folded ÷ text", 0.75, 0.7),
    Goal("sdk", "worker's CPU a token through the openai SDK ÷ the SDK's own", 0.50, 0.25),
    Goal("growth/rows", "CPU a token with 10× the rows in the table", 1.2, 1.05, "×"),
    Goal("growth/history", "CPU a token with 10× the history", 1.2, 1.05, "×"),
    Goal("growth/length", "CPU a token with 10× the length of the reply", 1.2, 1.05, "×"),
    Goal("wrong", "tokens lost, doubled or reordered", 0, 0),
)
