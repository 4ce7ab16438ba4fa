"""Holdfast as people run it: real processes, and clients that observe them from outside."""
