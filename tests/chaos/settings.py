"""The settings of the stack under chaos: the product's own, and the app that may break it."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as PRODUCT

INSTALLED_APPS = [*PRODUCT, "tests.chaos.sabotage.Broken"]
