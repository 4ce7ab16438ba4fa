"""Help texts in plain English. The database does not change."""

from decimal import Decimal

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0006_rename_attributes"),
    ]

    operations = [
        migrations.AlterField(
            model_name="conversation",
            name="deleted_at",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="Hidden from its owner, and removed soon after.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="reasoning_ms",
            field=models.PositiveIntegerField(
                blank=True,
                db_column="thought",
                help_text="Milliseconds that the reasoning took.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="seams",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Code points of the content at which another attempt continued.",
            ),
        ),
        migrations.AlterField(
            model_name="modeloverride",
            name="efforts",
            field=models.CharField(
                blank=True,
                help_text="The provider's names, separated by commas; “-” for none.",
                max_length=100,
                verbose_name="reasoning efforts",
            ),
        ),
        migrations.AlterField(
            model_name="modeloverride",
            name="input_price",
            field=models.DecimalField(
                blank=True,
                decimal_places=6,
                help_text="Dollars per million tokens.",
                max_digits=12,
                null=True,
                validators=[django.core.validators.MinValueValidator(Decimal("0"))],
            ),
        ),
        migrations.AlterField(
            model_name="modeloverride",
            name="output_price",
            field=models.DecimalField(
                blank=True,
                decimal_places=6,
                help_text="Dollars per million tokens. Both prices or none.",
                max_digits=12,
                null=True,
                validators=[django.core.validators.MinValueValidator(Decimal("0"))],
            ),
        ),
        migrations.AlterField(
            model_name="renderedtext",
            name="digest",
            field=models.CharField(
                help_text="Hash of everything that the HTML depends on.", max_length=64
            ),
        ),
        migrations.AlterField(
            model_name="renderedtext",
            name="field",
            field=models.CharField(help_text="The text field of the message.", max_length=9),
        ),
    ]
