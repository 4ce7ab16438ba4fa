"""`make run`: migrate, then run Daphne on loopback in this same process, so that signals reach it.

One process also makes a second start short, because Django is loaded once for both.
"""

import os
import socket
import sys

HOST = "127.0.0.1"


def main(port: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    refuse_taken(port)
    migrate()
    serve(port)


def refuse_taken(port: int) -> None:
    """Exit with a message if another program already listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            sys.exit(
                f"Holdfast can't listen on {HOST}:{port} ({error.strerror}). "
                f"Stop what runs there or take another port: make run PORT={port + 1}"
            )


def migrate() -> None:
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    connections.close_all()


def serve(port: int) -> None:
    """Run Daphne until a signal ends it. Print the address once it listens."""
    from daphne.cli import CommandLineInterface
    from twisted.internet import reactor

    reactor.callWhenRunning(
        print, f"\n  Holdfast is at http://{HOST}:{port}/   (Ctrl-C ends it)\n", flush=True
    )
    CommandLineInterface().run(["--bind", HOST, "--port", str(port), "config.asgi:application"])


if __name__ == "__main__":
    main(int(sys.argv[1]))
