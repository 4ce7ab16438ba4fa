"""Measure the cost of a durable reply, compared: `make bench`, or `python -m benchmarks`.

The program starts its own services, lets the subjects take turns, and judges by ratios within one
run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from benchmarks import document, quick, report, results
from benchmarks.outcome import Options, Outcome, Stage
from benchmarks.parts import (
    doors,
    e2e,
    fanout,
    generator,
    herd,
    persist,
    resume,
    scale,
    sdk,
    sustained,
)

PARTS: dict[str, Callable[[Stage, Outcome], None]] = {
    part.PART: part.measure
    for part in (generator, persist, e2e, doors, sustained, fanout, resume, herd, sdk, scale)
}


def main() -> int:
    arguments = parse_arguments()
    options = Options(
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        streams=parse_numbers(arguments.streams),
        subjects=tuple(arguments.subjects.lower().split(",")) if arguments.subjects else (),
    )
    parts = {"quick": quick.measure} if arguments.quick else select_parts(arguments.parts)
    began = time.monotonic()
    outcome = Outcome()
    with Stage(options) as stage:
        for name, measure in parts.items():
            print(name, flush=True)
            measure(stage, outcome)
    seconds = time.monotonic() - began
    print(f"\n{report.format_table(outcome.figures, outcome.wrong)}\n\n{seconds:.0f} s")
    print("\n".join([*outcome.errors, *stage.skipped]))
    if arguments.write:
        run = results.build_run(outcome, options, seconds)
        if parts.keys() != PARTS.keys():
            run = results.merge_parts(results.read_newest(), run)
        results.write_run(run)
        document.write_page(run)
    return bool(report.find_missed_goals(outcome.figures, outcome.wrong))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--parts", default=",".join(PARTS), help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--streams", default="", help="only these counts, as 10,100")
    parser.add_argument("--subjects", default="", help="only these, by parts of their names")
    parser.add_argument("--quick", action="store_true", help="only check that nothing is lost")
    parser.add_argument(
        "--write",
        action="store_true",
        help="keep the results, write the page; parts replace those of the newest results",
    )
    return parser.parse_args()


def select_parts(names: str) -> dict[str, Callable[[Stage, Outcome], None]]:
    return {name: PARTS[name] for name in names.split(",")}


def parse_numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(",") if number)


if __name__ == "__main__":
    sys.exit(main())
