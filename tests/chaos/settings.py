"""The settings of the stack in a chaos run: the product's own, and the app of the chaos program."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as PRODUCT

INSTALLED_APPS = [*PRODUCT, "tests.chaos.apps.ChaosConfig"]
