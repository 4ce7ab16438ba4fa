"""`make run`: migrate, then run Daphne on loopback in this same process, so that signals reach it.
The printed address has the name localhost, because browsers allow no passkeys at a bare one.

One process also makes a second start short, because Django is loaded once for both.
"""

import errno
import os
import socket
import sys

HOSTS = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}
"""The addresses that browsers take for localhost, if the machine has them."""


def main(port: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    hosts = find_free_hosts(port)
    migrate()
    serve(hosts, port)


def find_free_hosts(port: int) -> list[str]:
    """Return the addresses of loopback that this machine has. Exit with a message if another
    program already listens on the port."""
    hosts = []
    for host, family in HOSTS.items():
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno != errno.EADDRINUSE:
                continue  # a machine without IPv6
            sys.exit(
                f"Holdfast can't listen on {host}:{port} ({error.strerror}). "
                f"Stop what runs there or take another port: make run PORT={port + 1}"
            )
        hosts.append(host)
    return hosts


def migrate() -> None:
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    connections.close_all()


def serve(hosts: list[str], port: int) -> None:
    """Run Daphne until a signal ends it. Print the address once it listens."""
    from daphne.cli import CommandLineInterface
    from twisted.internet import reactor

    reactor.callWhenRunning(
        print, f"\n  Holdfast is at http://localhost:{port}/   (Ctrl-C ends it)\n", flush=True
    )
    colon = "\\:"  # a plain one separates the options of an endpoint
    endpoints = [f"tcp:{port}:interface={host.replace(':', colon)}" for host in hosts]
    options = [option for endpoint in endpoints for option in ("--endpoint", endpoint)]
    CommandLineInterface().run([*options, "config.asgi:application"])


if __name__ == "__main__":
    main(int(sys.argv[1]))
