#!/usr/bin/env python
"""Holdfast's command line: migrations, accounts, the stream worker."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    from config.core_dumps import disable_core_dumps

    disable_core_dumps()  # workers run here
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
