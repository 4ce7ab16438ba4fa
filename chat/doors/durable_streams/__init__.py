"""Durable Streams (PROTOCOL.md of github.com/durable-streams/durable-streams, version 1.0): streams
that programs write and read below /v1/stream/, and the replies, which they read."""
