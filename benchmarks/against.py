"""Compare this checkout with another one: `python -m benchmarks.against FOLDER`.

Both run the same part of the benchmark in turns, so that other work on the machine affects both.
The result is the median of the ratios of all rounds, with their spread.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
REPLAY = (
    r"^ +(\S.*?) {2,}median +([\d.]+) ms +all +([\d.]+) ms +CPU +([\d.]+) ms each",
    ("median ms", "ms for all", "ms of CPU each"),
)
ROWS = {
    "e2e": (
        r"^ +(\d+ \S.*?) +([\d.]+) µs .*? p50 +([\d.]+)  p99 +([\d.]+) ms",
        ("µs of CPU a token", "p50 ms", "p99 ms"),
    ),
    "resume": REPLAY,
    "herd": REPLAY,
    "sdk": (r"^ +(\S.*?) +([\d.]+) µs a token$", ("µs of CPU a token",)),
}
"""For each part that can be compared: the line it prints for a subject, and its figures there."""

Figures = dict[tuple[str, str], float]
"""The figures of a round by subject and name of the figure."""


def main() -> None:
    given = parsed()
    rounds: list[tuple[Figures, Figures]] = []
    for number in range(given.rounds):
        folders = [given.folder, HERE]
        if number % 2:  # the order alternates
            folders.reverse()
        seen = {folder: measure(folder, given) for folder in folders}
        rounds.append((seen[given.folder], seen[HERE]))
        print(f"round {number + 1} of {given.rounds}", flush=True)
    print(table(rounds))


def measure(folder: Path, given: argparse.Namespace) -> Figures:
    """Run one round of the part in that checkout. Return the median of each figure it printed."""
    command = [sys.executable, "-m", "benchmarks", "--parts", given.part, "--seconds", "4"]
    command += ["--rounds", str(given.repeats), "--subjects", given.subjects]
    if given.streams:
        command += ["--streams", given.streams]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    figures = parse_output(given.part, done.stdout)
    if not figures:
        sys.exit(f"{folder} measured nothing:\n{done.stdout}{done.stderr}")
    return figures


def parse_output(part: str, output: str) -> Figures:
    pattern, names = ROWS[part]
    seen: dict[tuple[str, str], list[float]] = defaultdict(list)
    for subject, *figures in re.findall(pattern, output, re.MULTILINE):
        for name, figure in zip(names, figures, strict=True):
            seen[subject, name].append(float(figure))
    return {key: statistics.median(figures) for key, figures in seen.items()}


def table(rounds: list[tuple[Figures, Figures]]) -> str:
    """Return for each figure the medians of both sides, and the ratio of here to there with its
    spread."""
    ratios: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for there, here in rounds:
        for key in there.keys() & here.keys():
            ratios[key].append((there[key], here[key]))
    lines = [f"{'subject, figure':<72}{'there':>9}{'here':>9}   ratio [lowest, highest]"]
    for (subject, figure), pairs in ratios.items():
        before, after = (statistics.median(side) for side in zip(*pairs, strict=True))
        each = [here / there for there, here in pairs if there]
        spread = f"{statistics.median(each):.3f} [{min(each):.3f}, {max(each):.3f}]"
        lines.append(f"{f'{subject}, {figure}':<72}{before:>9.2f}{after:>9.2f}   {spread}")
    return "\n".join(lines)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("folder", type=Path, help="the other checkout, with a .venv")
    parser.add_argument("--part", choices=ROWS, default="e2e")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=1, help="of the part, in each round")
    parser.add_argument("--streams", default="", help="only these counts, as 10,100")
    parser.add_argument("--subjects", default="uvicorn")
    return parser.parse_args()


if __name__ == "__main__":
    main()
