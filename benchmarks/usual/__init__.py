"""The usual way to stream through Django and Channels: a row per token through the ORM, a
`group_send` per token, a consumer per socket; and the original sketch of this project, which kept
the full text in every chunk and updated the message as well. Both as their documentation has it.
"""
