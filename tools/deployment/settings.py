"""The settings of a deployment under test: the product's own, and passwords that cost little.

Each test signs somebody up. The product's hash takes half a second of a core, and of a busy machine
some seconds, because it gives way to everything else.
"""

from config.settings import *  # noqa: F403

PASSWORD_HASHERS = ["tools.deployment.hashers.CheapHasher"]
