"""The settings of the measured stack: the product's own, and the source of tokens."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as PRODUCT

INSTALLED_APPS = [*PRODUCT, "benchmarks.engine.apps.Benchmark"]
