"""Programs for the Makefile and for maintainers. Nothing in the product imports from here."""
