"""Access tokens, with which the programs of a person come in."""
