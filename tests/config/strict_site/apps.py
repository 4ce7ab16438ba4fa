"""An app that takes no more of a body than its free beginning."""

from django.apps import AppConfig


class StrictSite(AppConfig):
    name = "tests.config.strict_site"

    def ready(self) -> None:
        from config import body_budget  # it needs the settings

        body_budget.MAX_BODY_BYTES_PER_USER = body_budget.MAX_BODY_BYTES_PER_ADDRESS = 0
