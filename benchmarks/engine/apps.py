"""Registers the source of tokens in every process of the stack."""

from __future__ import annotations

from django.apps import AppConfig


class Benchmark(AppConfig):
    name = "benchmarks.engine"

    def ready(self) -> None:
        from benchmarks.engine.source import register_source

        register_source()
