"""LangGraph's threads and runs, as far as its stock clients need them for text."""
