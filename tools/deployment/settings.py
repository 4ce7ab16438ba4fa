"""The settings of a deployment under test: the product's own, and a cheap password hash.

Each test signs somebody up. The product's hash takes half a second of a core, and some seconds on a
busy machine, because it has a low priority.
"""

import os

if os.environ.get("ALLOW_SAMPLE_SECRETS"):  # those of the recorded databases of older versions
    from accounts import sealing
    from config import secret_rules

    secret_rules.is_guessable_secret = lambda secret: False
    sealing._is_visibly_not_random = lambda key: False

from config.settings import *  # noqa: F403

PASSWORD_HASHERS = [
    "tools.deployment.hashers.CheapHasher",
    "accounts.hashers.LimitedPBKDF2PasswordHasher",  # of databases of older versions
]
