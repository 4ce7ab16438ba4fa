"""The app that a stack under chaos has besides the product's: a second source, and sabotage."""

import faulthandler
import signal

from django.apps import AppConfig


class Chaos(AppConfig):
    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        from tests.chaos.lines import register_lines
        from tests.chaos.sabotage import sabotage

        faulthandler.register(signal.SIGUSR1)  # a process that is stuck can be asked where
        register_lines()
        sabotage()
