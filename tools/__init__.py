"""What the Makefile calls, and what maintainers do. Nothing in the product imports from here."""
