"""The settings of the stack that is measured: the product's own, and the source of the tokens."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as PRODUCT

INSTALLED_APPS = [*PRODUCT, "benchmarks.engine.apps.Benchmark"]
