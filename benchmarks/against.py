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
ROW = re.compile(r"^ +(\d+) (\S.*?) +([\d.]+) µs .*? p50 +([\d.]+)  p99 +([\d.]+) ms", re.MULTILINE)
FIGURES = ("µs of CPU a token", "p50 ms", "p99 ms")

Figures = dict[tuple[int, str], tuple[float, ...]]


def main() -> None:
    given = parsed()
    rounds: list[tuple[Figures, Figures]] = []
    for number in range(given.rounds):
        folders = [given.folder, HERE]
        if number % 2:  # the order alternates
            folders.reverse()
        seen = {folder: measure(folder, given.streams, given.subjects) for folder in folders}
        rounds.append((seen[given.folder], seen[HERE]))
        print(f"round {number + 1} of {given.rounds}", flush=True)
    print(table(rounds))


def measure(folder: Path, streams: str, subjects: str) -> Figures:
    """Run one round of the part `e2e` in that checkout. Return its figures by streams and
    subject."""
    command = [sys.executable, "-m", "benchmarks", "--parts", "e2e", "--rounds", "1"]
    command += ["--streams", streams, "--subjects", subjects, "--seconds", "4"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    rows = ROW.findall(done.stdout)
    if not rows:
        sys.exit(f"{folder} measured nothing:\n{done.stdout}{done.stderr}")
    return {(int(n), name): tuple(map(float, figures)) for n, name, *figures in rows}


def table(rounds: list[tuple[Figures, Figures]]) -> str:
    """Return for each figure the medians of both sides, and the ratio of here to there with its
    spread."""
    ratios: dict[tuple[int, str, str], list[tuple[float, float]]] = defaultdict(list)
    for there, here in rounds:
        for key in there.keys() & here.keys():
            for figure, before, after in zip(FIGURES, there[key], here[key], strict=True):
                ratios[*key, figure].append((before, after))
    lines = [f"{'streams, subject, figure':<52}{'there':>9}{'here':>9}   ratio [lowest, highest]"]
    for (streams, name, figure), pairs in sorted(ratios.items()):
        before, after = (statistics.median(side) for side in zip(*pairs, strict=True))
        each = [here / there for there, here in pairs if there]
        spread = f"{statistics.median(each):.3f} [{min(each):.3f}, {max(each):.3f}]"
        lines.append(f"{streams:>4} {name}, {figure:<30}{before:>12.1f}{after:>9.1f}   {spread}")
    return "\n".join(lines)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("folder", type=Path, help="the other checkout, with a .venv")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--streams", default="10,100")
    parser.add_argument("--subjects", default="uvicorn")
    return parser.parse_args()


if __name__ == "__main__":
    main()
