from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("People and keys")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import periodic_tasks, program_access, providers, signals  # noqa: F401
        from accounts.api_keys import keys
        from accounts.audit import recording
        from accounts.connections import sealing
        from accounts.deletion import kinds  # noqa: F401
        from accounts.factors import totp
        from accounts.own_data import rows  # noqa: F401
        from accounts.social import registration

        periodic_tasks.register_tasks()
        recording.connect_signals()
        keys.register_sealed_keys()
        totp.register_sealed_secrets()
        sealing.register_sealed_connections()
        providers.register_compatible_providers()
        registration.register_providers()
