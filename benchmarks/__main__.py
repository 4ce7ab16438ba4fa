"""What a durable reply costs beside the field: `make bench`, or `python -m benchmarks`.

It starts its own services, lets the subjects take turns, and judges by ratios within one run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from benchmarks import report
from benchmarks.outcome import Options, Outcome, Stage
from benchmarks.parts import e2e, fanout, herd, persist, resume, scale, sdk, sustained

PARTS: dict[str, Callable[[Stage, Outcome], None]] = {
    "persist": persist.measure,
    "e2e": e2e.measure,
    "sustained": sustained.measure,
    "fanout": fanout.measure,
    "resume": resume.measure,
    "herd": herd.measure,
    "sdk": sdk.measure,
    "scale": scale.measure,
}


def main() -> int:
    began = time.monotonic()
    given = parsed()
    options = Options(
        rounds=given.rounds,
        seconds=given.seconds,
        streams=numbers(given.streams),
        subjects=tuple(given.subjects.lower().split(",")) if given.subjects else (),
    )
    outcome = Outcome()
    with Stage(options) as stage:
        for part in given.parts.split(","):
            print(f"{part}", flush=True)
            PARTS[part](stage, outcome)
    print(f"\n{report.table(outcome)}\n\n{time.monotonic() - began:.0f} s")
    for trouble in outcome.troubles:
        print(trouble)
    return bool(report.missed(outcome))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--parts", default=",".join(PARTS), help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--streams", default="", help="only these counts, as 10,100")
    parser.add_argument("--subjects", default="", help="only these, by parts of their names")
    return parser.parse_args()


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",") if number)


if __name__ == "__main__":
    sys.exit(main())
