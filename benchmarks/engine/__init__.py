"""What is added to Holdfast's own processes to measure them: a source that makes the tokens."""
