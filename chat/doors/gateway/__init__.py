"""OpenAI's API over the person's own providers: responses that can be resumed at any time, chat
completions, conversations and models."""
