"""Start a stack, inject faults, and report the losses. Exits with 1 when a promise is broken."""

import argparse
import sys
import time

from tests.chaos.processes import ROOT
from tests.chaos.protections import BREAKS
from tests.chaos.run import RESULTS_FOLDER, SHORT_PAUSES, SHORT_RUN_SECONDS, RunOptions, run_chaos
from tests.chaos.table import format_table


def main() -> int:
    started_at = time.monotonic()
    result = run_chaos(parse_options())
    print(format_table(result, time.monotonic() - started_at))
    if result.problems:
        print(
            "\n".join(
                ["", *result.problems[:10], f"The rest is in {RESULTS_FOLDER.relative_to(ROOT)}/"]
            )
        )
    return bool(result.problems)


def parse_options() -> RunOptions:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--break", dest="broken", choices=sorted(BREAKS), default="")
    parser.add_argument("--server", choices=["daphne", "uvicorn"], default="daphne")
    parser.add_argument(
        "--short",
        action="store_true",
        help="inject faults almost without pauses, for a few seconds",
    )
    arguments = vars(parser.parse_args())
    if arguments.pop("short"):
        arguments |= {"seconds": SHORT_RUN_SECONDS, "pauses": SHORT_PAUSES}
    return RunOptions(**arguments)


if __name__ == "__main__":
    sys.exit(main())
