"""A reply and its tokens."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Message(models.Model):
    content = models.TextField(default="")
    is_complete = models.BooleanField(default=False)

    objects: ClassVar[models.Manager[Message]] = models.Manager()

    def __str__(self) -> str:
        return str(self.pk)


class Chunk(models.Model):
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="chunks")
    index = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    delta = models.TextField()
    content = models.TextField(default="")
    """The complete text so far, in the original sketch only."""

    objects: ClassVar[models.Manager[Chunk]] = models.Manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "index"], name="chunk_once")]

    def __str__(self) -> str:
        return str(self.index)
