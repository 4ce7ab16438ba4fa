"""The settings of a deployment under test: the product's own, and a cheap password hash.

Each test signs somebody up. The product's hash takes half a second of a core, and some seconds on a
busy machine, because it has a low priority.
"""

from config.settings import *  # noqa: F403

PASSWORD_HASHERS = [
    "tools.deployment.hashers.CheapHasher",
    "accounts.hashers.LimitedPBKDF2PasswordHasher",  # of databases of older versions
]
