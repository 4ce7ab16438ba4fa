"""What the Makefile calls. Nothing in the product imports from here."""
