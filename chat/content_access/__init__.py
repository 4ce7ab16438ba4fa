"""Access of an administrator to the conversations of one person, for a time."""
