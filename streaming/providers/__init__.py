"""The source of replies, and the providers behind it: a key and a prompt in, events out.

Nothing here knows Django or a database, and of the engine only `streaming.events`.
"""
