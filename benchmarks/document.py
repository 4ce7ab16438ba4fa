"""Write `docs/performance.md` and its plots from the stored results of a run alone."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.plots import Bar, Range, draw_bars, draw_ranges

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
    "generator": "The token generator alone",
    "persist": "The journal alone",
    "e2e": "From the generation of a token to its reader",
    "doors": "Through each door",
    "sustained": "The highest rate with a p99 under 100 ms",
    "fanout": "One reply, many readers",
    "resume": "A reader comes back",
    "herd": "All readers come back at once",
    "sdk": "Through a provider's SDK",
    "scale": "Ten times as many rows, messages or tokens",
}
INTRODUCTION = """# Performance

This page compares the cost of a durable reply with the cost of replies that are not durable, and
of replies that are stored in the usual way. `make bench WRITE=1` writes this page and its plots
from the numbers in [`benchmarks/results`](../benchmarks/results).

- **Holdfast** runs with the entry points and settings of `make stack`: one web process and one
  worker, and in one case two of each. Only the provider is replaced, by a source that generates
  tokens. A token is on disk (PostgreSQL, `fsync` on) before any reader sees it. “Deflate” means
  that Uvicorn compresses frames, which is [off by
  default](decisions/0008-leave-frames-uncompressed.md).
- **resumable-stream** (npm) holds the text in the memory of the producing process; a second
  process serves readers that resume. Nothing is stored.
- **durable-streams** (npm, the reference server) gets each token in a POST, and readers follow over
  SSE. Only its server is measured. With files it syncs each append.
- **The usual Django way** writes a row per token through the ORM, makes a `group_send` per token
  and has a consumer per socket, on Daphne with the core Redis layer. **The original sketch**
  stores the complete text in every chunk and also updates the message.

CPU is the sum over all processes of a subject, including PostgreSQL and Redis but not the load
client. All subjects get the same tokens of 5 bytes each, generated at the same moments inside the
producing process. A token carries its number and the time when it was generated, so its reader
knows its age and finds tokens that are lost, doubled or out of order. In each round the subjects
take turns. Compare figures of one run only: the client, PostgreSQL and everything else share the
machine's cores.
"""


def write_page(run: Mapping[str, Any]) -> None:
    """Write the page and its plots."""
    PAGE.write_text(format_page(run))
    for name, drawn in draw_plots(run).items():
        (IMAGES / f"performance-{name}.svg").write_text(drawn)


def format_page(run: Mapping[str, Any]) -> str:
    machine, versions, options = run["machine"], run["versions"], run["options"]
    version_list = ", ".join(f"{name} {version}" for name, version in versions.items())
    source = (
        f"Measured {run['date']} at {run['commit']}, {options['rounds']} rounds of "
        f"{options['seconds']:g} s, in {run['seconds']} s: {machine['cpu']}, {machine['cores']} "
        f"cores, {machine['memory_gb']} GB, {machine['system']}. {version_list}."
    )
    pictures = [f"![{alt}](images/performance-{name}.svg)" for name, alt in _list_plots(run)]
    parts = [
        "\n\n".join(
            [f"### {title}", *_format_moment(run, part), format_part(run["measured"][part])]
        )
        for part, title in PARTS.items()
        if part in run["measured"]
    ]
    goals = report.format_markdown(run["figures"], run["lost_doubled_reordered"])
    return (
        "\n\n".join(
            [
                INTRODUCTION.strip(),
                source,
                "## Goals",
                goals,
                *pictures,
                "## All measurements",
                "The figures are medians over the rounds, with the range where it is wide.",
                *parts,
            ]
        )
        + "\n"
    )


def _format_moment(run: Mapping[str, Any], part: str) -> list[str]:
    later = run.get("measured_later", {})
    return [f"Measured {later[part]}, in a run of its own."] if part in later else []


def format_part(part: Part) -> str:
    return "\n\n".join(f"**{case}**\n\n{format_table(subjects)}" for case, subjects in part.items())


def format_table(subjects: Mapping[str, Rounds]) -> str:
    """Return a table with a row for each subject, and the columns that any of them has."""
    columns = [c for c in COLUMNS if any(c[1] in rounds[0] for rounds in subjects.values())]
    by_process = any("by_process" in rounds[0] for rounds in subjects.values())
    names = ["", *(name for name, _ in columns), *(["of these"] if by_process else [])]
    lines = [names, ["---", *("--:" for _ in columns), *(["---"] if by_process else [])]]
    for subject, rounds in subjects.items():
        cells = [_format_cell([r[key] for r in rounds if key in r]) for _, key in columns]
        processes = [_format_processes(rounds)] if by_process else []
        lines.append([subject, *cells, *processes])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _format_cell(values: Sequence[float]) -> str:
    if not values:
        return ""
    middle = statistics.median(values)
    digits = ",.0f" if middle >= 100 else ",.1f"
    median = f"{middle:{digits}}"
    wide = len(values) > 1 and max(values) - min(values) > 0.1 * middle
    return f"{median} ({min(values):{digits}}–{max(values):{digits}})" if wide else median


def _format_processes(rounds: Rounds) -> str:
    return ", ".join(f"{name} {cost:,.0f}" for name, cost in compute_process_costs(rounds))


def compute_process_costs(rounds: Rounds) -> list[tuple[str, float]]:
    """Name and median cost of each process, in µs of CPU a token."""
    names = rounds[0].get("by_process", {})
    return [(n, statistics.median(r["by_process"][n] for r in rounds)) for n in names]


# The plots


def _list_plots(run: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    titles = {
        "cpu": "CPU a token, by process",
        "latency": "Added latency",
        "resume": "Time until a reader that comes back has the complete text",
        "growth": "CPU a token with ten times as much",
    }
    drawn = draw_plots(run)
    return ((name, alt) for name, alt in titles.items() if name in drawn)


def draw_plots(run: Mapping[str, Any]) -> dict[str, str]:
    measured: Mapping[str, Part] = run["measured"]
    drawn = {}
    if live := measured.get("e2e"):
        drawn["cpu"] = draw_bars(
            [
                (case, [_build_stacked_bar(*item) for item in subjects.items()])
                for case, subjects in live.items()
            ],
            "µs of CPU a token",
        )
        drawn["latency"] = draw_ranges(
            [
                (case, [_build_range(*item) for item in subjects.items()])
                for case, subjects in live.items()
            ],
            "ms from making to reading, p50 and p99, logarithmic",
        )
    resume_panels = [
        (case, [_build_bar(name, rounds, key) for name, rounds in subjects.items()])
        for part, key in (("resume", "median_ms"), ("herd", "all_ms"))
        for case, subjects in measured.get(part, {}).items()
    ]
    if resume_panels:
        drawn["resume"] = draw_bars(resume_panels, "ms")
    if growth := measured.get("scale"):
        rows = [
            _build_bar(case, s[name], "us_per_token", name)
            for case, s in growth.items()
            for name in s
        ]
        drawn["growth"] = draw_bars([("Holdfast, Uvicorn, 40 streams", rows)], "µs of CPU a token")
    return drawn


def _get_color_class(name: str) -> str:
    return "ours" if name.startswith("Holdfast") else "theirs"


def _build_stacked_bar(name: str, rounds: Rounds) -> Bar:
    merged: dict[str, float] = {}
    for process, cost in compute_process_costs(rounds):
        kind = process.partition("-")[0]  # web-1 is one more web process
        merged[kind] = merged.get(kind, 0) + cost
    return Bar(name, tuple(merged.items()))


def _build_range(name: str, rounds: Rounds) -> Range:
    low, high = (statistics.median(r[key] for r in rounds) for key in ("p50_ms", "p99_ms"))
    return Range(name, low, high, _get_color_class(name))


def _build_bar(label: str, rounds: Rounds, key: str, name: str = "") -> Bar:
    value = statistics.median(r[key] for r in rounds)
    return Bar(label, ((_get_color_class(name or label), value),))
