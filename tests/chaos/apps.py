"""The app that a chaos run adds to the product: a second source, and a switched-off protection."""

import faulthandler
import signal

from django.apps import AppConfig


class ChaosConfig(AppConfig):
    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        from tests.chaos.lines import register_lines
        from tests.chaos.protections import shorten_timeouts, switch_off_protection

        faulthandler.register(signal.SIGUSR1)  # makes a stuck process write its stacks
        register_lines()
        shorten_timeouts()
        switch_off_protection()
