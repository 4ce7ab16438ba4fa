"""OpenAI's two APIs, Responses and Chat Completions, over one SDK."""
