"""The product's hasher with a thousandth of its work."""

from accounts.hashers import LimitedArgon2PasswordHasher


class CheapHasher(LimitedArgon2PasswordHasher):
    time_cost = 1
    memory_cost = 64
