"""With `REQUIRE_ALL_CHECKS=1` a check that cannot run here fails; otherwise it is left out."""

import os


def has_to_run_all() -> bool:
    return os.environ.get("REQUIRE_ALL_CHECKS") == "1"
