"""Drafts of signed-in people: text that they have not sent yet, on all their devices."""
