"""`python -m tools.biome check` or `… format`; without Biome it says that it checks nothing."""

import argparse
import subprocess
import sys
from pathlib import Path

from tools import required_checks
from tools.services import node
from tools.services.node import Packages

PACKAGES = Packages(Path(__file__).parent)
PROGRAM = PACKAGES.get_module_path("@biomejs", "biome", "bin", "biome")
COMMANDS = {
    "check": ["check", "--error-on-warnings"],
    "format": ["format", "--write"],
}
MISSING = """\
Scripts and style sheets are NOT checked: {why}. Biome comes from npm. Let this machine
reach npm's registry once, and also Python's if it has no Node {oldest} or newer. All other checks
run without it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.biome", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    command = COMMANDS[parser.parse_args().command]
    try:
        executable = PACKAGES.install()
    except node.Missing as missing:
        print(MISSING.format(why=missing, oldest=".".join(map(str, node.MIN_VERSION))))
        return int(required_checks.has_to_run_all())
    done = subprocess.run([executable, PROGRAM, *command], cwd=node.ROOT, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
