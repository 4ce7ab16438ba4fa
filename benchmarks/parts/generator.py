"""The cost of the token generator alone, in Python and in Node: a part of every subject's cost."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.outcome import Outcome, Stage
from benchmarks.running import TOKENS_PER_SECOND
from benchmarks.subjects import peers
from tools.services import node
from tools.services.helper_process import ROOT

PART = "generator"
STREAMS = (10, 100, 250)
MEASURE_SECONDS = 2.0


def measure(stage: Stage, outcome: Outcome) -> None:
    commands = {"Python": [sys.executable, "-m", "benchmarks.bare"]}
    try:
        executable = peers.PACKAGES.install()
        commands["Node"] = [str(executable), str(peers.PACKAGES.copy_programs() / "bare.mjs")]
    except node.Missing as missing:
        stage.skip(str(missing))
    for streams in STREAMS:
        for language, command in commands.items():
            order = json.dumps(
                {"streams": streams, "rate": TOKENS_PER_SECOND, "seconds": MEASURE_SECONDS}
            )
            done = subprocess.run([*command, order], cwd=ROOT, capture_output=True, check=True)
            cost = round(json.loads(done.stdout), 1)
            outcome.add_sample(PART, f"{streams} streams × 50/s", language, {"us_per_token": cost})
            print(f"  {streams:>4} {language:<24} {cost:7.1f} µs", flush=True)
