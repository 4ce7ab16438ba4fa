"""The product's hasher with a thousandth of its work."""

from accounts.hashers import SerialPBKDF2PasswordHasher


class CheapHasher(SerialPBKDF2PasswordHasher):
    iterations = 1_000
