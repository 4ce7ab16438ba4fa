"""Holdfast as people run it: real processes, and what looks at them from outside."""
