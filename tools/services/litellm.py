"""A temporary LiteLLM proxy: one server with Chat Completions in front of other providers."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.services.program import Program, free_port, is_listening, scratch_folder
from tools.services.python_environment import ROOT, PythonEnvironment

ENVIRONMENT = PythonEnvironment("litellm", ROOT / "tests" / "servers" / "litellm.lock")
KEY = "sk-proxy-0123456789abcdef"
START_SECONDS = 240.0
"""It imports for half a minute on a busy machine."""


class LiteLLM(Program):
    """A running proxy. `upstreams` are its models: a name of LiteLLM's and an address for each."""

    def __init__(self, upstreams: Mapping[str, tuple[str, str]], folder: Path) -> None:
        self.port = free_port()
        config = folder / "config.yaml"
        config.write_text(json.dumps(_build_config(upstreams)))  # JSON is YAML, too
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--telemetry", "False"]
        super().__init__(
            "litellm",
            [str(ENVIRONMENT.get_program_path("litellm")), "--config", str(config), *options],
            log=folder / "log",
            ready=lambda: is_listening(self.port),
            environment={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would fetch its table of prices
            },
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@contextmanager
def litellm(upstreams: Mapping[str, tuple[str, str]]) -> Iterator[LiteLLM]:
    """Run one in front of these upstreams. Raises `python_environment.Missing`."""
    ENVIRONMENT.install()
    folder = scratch_folder("litellm")
    running = LiteLLM(upstreams, folder)
    try:
        running.start(wait=False)
        running.wait_until_ready(START_SECONDS)
        yield running
    finally:
        running.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _build_config(upstreams: Mapping[str, tuple[str, str]]) -> dict[str, object]:
    """A model that failed once would be refused for five seconds, which is switched off."""
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": model, "api_base": address, "api_key": "sk-upstream-1"},
        }
        for name, (model, address) in upstreams.items()
    ]
    return {
        "model_list": models,
        "litellm_settings": {"num_retries": 0},
        "router_settings": {"disable_cooldowns": True, "num_retries": 0},
        "general_settings": {"master_key": KEY},
    }
