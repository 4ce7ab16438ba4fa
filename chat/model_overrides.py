"""Tables about the models that reply: values of an administrator, and parameters that a provider
refused."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from streaming.providers.catalog.naming import MAX_MODEL_NAME_CHARS

MAX_ENDPOINT_CHARS = 300


class ModelOverride(models.Model):
    """An administrator's values for a model. Empty fields leave those of the catalog and of the
    provider. A model that neither knows is added to its provider."""

    model_id = models.CharField(_("model"), max_length=MAX_MODEL_NAME_CHARS)
    provider = models.CharField(
        max_length=50,
        blank=True,
        help_text=_("Its id. Empty for the first provider that has a model of this name."),
    )
    label = models.CharField(max_length=100, blank=True)
    hidden = models.BooleanField(default=False, help_text=_("Nobody can pick it."))
    context_window = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("In tokens."), validators=[MinValueValidator(1)]
    )
    max_output = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("In tokens."), validators=[MinValueValidator(1)]
    )
    takes_temperature = models.BooleanField(null=True, blank=True)
    efforts = models.CharField(
        _("reasoning efforts"),
        max_length=100,
        blank=True,
        help_text=_("The provider's names, separated by commas; “-” for none."),
    )
    input_price = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal())],
        help_text=_("Dollars per million tokens."),
    )
    output_price = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal())],
        help_text=_("Dollars per million tokens. Both prices or none."),
    )

    class Meta:
        ordering = ["model_id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(input_price=None, output_price=None)
                | Q(input_price__isnull=False, output_price__isnull=False),
                name="model_override_both_prices_or_none",
                violation_error_message=_("Give both prices or none."),
            ),
            models.UniqueConstraint(
                fields=["provider", "model_id"],
                name="model_override_once",
                violation_error_message=_("There is already an entry for this model."),
            ),
        ]

    def __str__(self) -> str:
        return self.model_id


class RefusedParameter(models.Model):
    """A parameter that a provider does not support for a model. It is not sent again, unless this
    row is deleted.

    The model keeps its old name: another one would change the address of its pages in the admin,
    and its permissions and content type, which processes of the version before still use.
    """

    endpoint = models.CharField(
        max_length=MAX_ENDPOINT_CHARS,
        help_text=_("The provider, and the host and a hash of its address if set."),
    )
    model_id = models.CharField(_("model"), max_length=MAX_MODEL_NAME_CHARS)
    parameter = models.CharField(max_length=30)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["endpoint", "model_id", "parameter"]
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "model_id", "parameter"], name="refused_parameter_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model_id}: {self.parameter}"
