"""The usual way to stream through Django and Channels: a row per token through the ORM, a
`group_send` per token, a consumer per socket; and the original sketch of this project, which stored
the complete text in every chunk and also updated the message. Both follow the documentation."""
