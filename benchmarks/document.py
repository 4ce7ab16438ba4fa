"""`docs/performance.md` and its plots, made from what was kept of a run and from nothing else."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.plots import Bar, Range, bars, ranges

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"

Rounds = list[dict[str, Any]]
Part = Mapping[str, Mapping[str, Rounds]]

COLUMNS = (
    ("µs a token", "us_per_token"),
    ("p50 ms", "p50_ms"),
    ("p99 ms", "p99_ms"),
    ("tokens/s", "tokens_per_second"),
    ("tokens a frame", "tokens_per_frame"),
    ("bytes on the wire", "bytes_per_token"),
    ("bytes stored", "stored"),
    ("rows/s", "rows_per_second"),
    ("median ms", "median_ms"),
    ("p99 ms", "p99_ms_each"),
    ("all, ms", "all_ms"),
    ("CPU ms each", "cpu_ms_each"),
    ("bytes each", "bytes_each"),
    ("bytes", "bytes"),
    ("of text", "text"),
)
PARTS = {
    "generator": "The generator of the tokens, alone",
    "persist": "The journal, alone",
    "e2e": "From the making of a token to its reader",
    "sustained": "What holds with a p99 under 100 ms",
    "fanout": "One reply, many readers",
    "resume": "A reader comes back",
    "herd": "Everybody comes back at once",
    "sdk": "Through a provider's SDK",
    "scale": "Ten times as much",
}
INTRODUCTION = """# Performance

What a durable reply costs, beside those that are not durable and those that are done in the usual
way. This page and its plots are written by `make bench WRITE=1`; the numbers behind them are in
[`benchmarks/results`](../benchmarks/results).

- **Holdfast** runs with the entry points and settings of `make stack`: one web process and one
  worker, and once two of each. Only the provider is replaced, by a source that makes tokens. A
  token is on disk (PostgreSQL, `fsync` on) before anybody sees it.
  “Deflate” has Uvicorn's compression on, which is [off otherwise](decisions/compression.md).
- **resumable-stream** (npm) keeps the text in the memory of the producing process; a second
  process serves readers that resume. Nothing is stored.
- **durable-streams** (npm, the reference server) is sent each token by a POST and tailed over SSE.
  Only its server counts. In files it syncs each append.
- **The usual Django way** writes a row per token through the ORM, makes a `group_send` per token
  and has a consumer per socket, on Daphne with the core Redis layer. **The original sketch** keeps
  the whole text in every chunk and updates the message too.

CPU is that of all processes of a subject together, PostgreSQL and Redis included, the load client
not. All have the same tokens, made at the same moments inside the producing process, 5 bytes each;
a token carries its number and the moment of its making, so its reader knows its age and what is
lost, doubled or out of order. In each round the subjects take turns. Compare within a run only: the
client, PostgreSQL and everything else share the machine's cores.
"""


def write(run: Mapping[str, Any]) -> None:
    """The page and its plots."""
    PAGE.write_text(page(run))
    for name, drawn in plots(run).items():
        (IMAGES / f"performance-{name}.svg").write_text(drawn)


def page(run: Mapping[str, Any]) -> str:
    machine, versions, options = run["machine"], run["versions"], run["options"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    made = (
        f"Measured {run['date']} at {run['commit']}, {options['rounds']} rounds of "
        f"{options['seconds']:g} s, in {run['seconds']} s: {machine['cpu']}, {machine['cores']} "
        f"cores, {machine['memory_gb']} GB, {machine['system']}. {named}."
    )
    pictures = [f"![{alt}](images/performance-{name}.svg)" for name, alt in _alts(run)]
    parts = [
        f"### {words}\n\n{tables(run['measured'][part])}"
        for part, words in PARTS.items()
        if part in run["measured"]
    ]
    goals = report.markdown(run["figures"], run["lost_doubled_reordered"])
    return (
        "\n\n".join(
            [
                INTRODUCTION.strip(),
                made,
                "## Goals",
                goals,
                *pictures,
                "## Everything that was measured",
                "Medians over the rounds, with the range where it matters.",
                *parts,
            ]
        )
        + "\n"
    )


def tables(part: Part) -> str:
    return "\n\n".join(f"**{what}**\n\n{table(subjects)}" for what, subjects in part.items())


def table(subjects: Mapping[str, Rounds]) -> str:
    """A row for each subject, with the columns that any of them has."""
    columns = [c for c in COLUMNS if any(c[1] in rounds[0] for rounds in subjects.values())]
    by_process = any("by_process" in rounds[0] for rounds in subjects.values())
    names = ["", *(name for name, _ in columns), *(["of these"] if by_process else [])]
    lines = [names, ["---", *("--:" for _ in columns), *(["---"] if by_process else [])]]
    for subject, rounds in subjects.items():
        cells = [_cell([r[key] for r in rounds if key in r]) for _, key in columns]
        processes = [_processes(rounds)] if by_process else []
        lines.append([subject, *cells, *processes])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    middle = statistics.median(values)
    digits = ",.0f" if middle >= 100 else ",.1f"
    said = f"{middle:{digits}}"
    wide = len(values) > 1 and max(values) - min(values) > 0.1 * middle
    return f"{said} ({min(values):{digits}}–{max(values):{digits}})" if wide else said


def _processes(rounds: Rounds) -> str:
    return ", ".join(f"{name} {cost:,.0f}" for name, cost in shares(rounds))


def shares(rounds: Rounds) -> list[tuple[str, float]]:
    """The medians of each process's cost."""
    names = rounds[0].get("by_process", {})
    return [(n, statistics.median(r["by_process"][n] for r in rounds)) for n in names]


# The plots


def _alts(run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    words = {
        "cpu": "CPU a token, by process",
        "latency": "Added latency",
        "resume": "Time until a reader that comes back holds all",
        "growth": "CPU a token with ten times as much",
    }
    drawn = plots(run)
    return ((name, alt) for name, alt in words.items() if name in drawn)


def plots(run: Mapping[str, Any]) -> dict[str, str]:
    measured: Mapping[str, Part] = run["measured"]
    drawn = {}
    if live := measured.get("e2e"):
        drawn["cpu"] = bars(
            [
                (what, [_stacked(*item) for item in subjects.items()])
                for what, subjects in live.items()
            ],
            "µs of CPU a token",
        )
        drawn["latency"] = ranges(
            [
                (what, [_range(*item) for item in subjects.items()])
                for what, subjects in live.items()
            ],
            "ms from making to reading, p50 and p99, logarithmic",
        )
    back = [
        (what, [_plain(name, rounds, key) for name, rounds in subjects.items()])
        for part, key in (("resume", "median_ms"), ("herd", "all_ms"))
        for what, subjects in measured.get(part, {}).items()
    ]
    if back:
        drawn["resume"] = bars(back, "ms")
    if growth := measured.get("scale"):
        rows = [
            _plain(what, s[name], "us_per_token", name) for what, s in growth.items() for name in s
        ]
        drawn["growth"] = bars([("Holdfast, Uvicorn, 40 streams", rows)], "µs of CPU a token")
    return drawn


def _kind(name: str) -> str:
    return "ours" if name.startswith("Holdfast") else "theirs"


def _stacked(name: str, rounds: Rounds) -> Bar:
    merged: dict[str, float] = {}
    for process, cost in shares(rounds):
        kind = process.partition("-")[0]  # web-1 is one more web process
        merged[kind] = merged.get(kind, 0) + cost
    return Bar(name, tuple(merged.items()))


def _range(name: str, rounds: Rounds) -> Range:
    low, high = (statistics.median(r[key] for r in rounds) for key in ("p50_ms", "p99_ms"))
    return Range(name, low, high, _kind(name))


def _plain(label: str, rounds: Rounds, key: str, name: str = "") -> Bar:
    value = statistics.median(r[key] for r in rounds)
    return Bar(label, ((_kind(name or label), value),))
