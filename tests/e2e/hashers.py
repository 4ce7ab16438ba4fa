"""The product's hasher with a thousandth of its work."""

from accounts.hashers import InTurnHasher


class CheapHasher(InTurnHasher):
    iterations = 1_000
