"""AG-UI 1.0, the protocol of agents and their front ends, for text."""
