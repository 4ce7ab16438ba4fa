"""The protocols through which clients come in."""
