"""Biome checks and formats scripts and style sheets. It comes from npm, pinned with its hashes.

The wheel on PyPI lags behind it by eight releases.
"""
