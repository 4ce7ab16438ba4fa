"""A source that generates tokens, added to Holdfast's own processes to measure them."""
