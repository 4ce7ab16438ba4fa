"""Start a stack, do the worst to it, and say what was lost. Not zero when a promise broke."""

import argparse
import sys
import time

from tests.chaos.processes import ROOT
from tests.chaos.run import KEPT, SHORT, SHORT_RESTS, Plan, run
from tests.chaos.sabotage import BREAKS
from tests.chaos.table import table


def main() -> int:
    began = time.monotonic()
    outcome = run(parsed())
    print(table(outcome, time.monotonic() - began))
    if outcome.problems:
        print("\n".join(["", *outcome.problems[:10], f"All of it is in {KEPT.relative_to(ROOT)}/"]))
    return bool(outcome.problems)


def parsed() -> Plan:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--break", dest="broken", choices=sorted(BREAKS), default="")
    parser.add_argument("--server", choices=["daphne", "uvicorn"], default="daphne")
    parser.add_argument("--short", action="store_true", help="blow upon blow, for a few seconds")
    given = vars(parser.parse_args())
    if given.pop("short"):
        given |= {"seconds": SHORT, "rests": SHORT_RESTS}
    return Plan(**given)


if __name__ == "__main__":
    sys.exit(main())
