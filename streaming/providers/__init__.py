"""The source of replies, and its providers: a key and a prompt in, events out.

Nothing here imports Django or a database, and of the engine only `streaming.events`.
"""
