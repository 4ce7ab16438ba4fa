"""A temporary server of llama.cpp with a model of random weights.

The sources come with the package llama-cpp-python. They are compiled once, without optimization,
which takes ten minutes on one core and makes a slow server: a few dozen tokens a second.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.services.program import Program, free_port, scratch_folder
from tools.services.python_environment import ROOT, Missing, PythonEnvironment

LOCKS = ROOT / "tests" / "servers"
ENVIRONMENT = PythonEnvironment("llama", LOCKS / "llama.lock")
SOURCE_LOCK = LOCKS / "llama-source.lock"
SOURCES = ENVIRONMENT.folder / "sources"
BUILD = ENVIRONMENT.folder / "build"
EXECUTABLE = BUILD / "bin" / "llama-server"
BUILD_SECONDS = 3_000
CONTEXT_TOKENS = 512
MODEL = "tiny"
OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release",
    "CMAKE_C_FLAGS_RELEASE": "-O1",
    "CMAKE_CXX_FLAGS_RELEASE": "-O0",
    "BUILD_SHARED_LIBS": "OFF",
    "GGML_CCACHE": "OFF",
    "GGML_NATIVE": "OFF",
    "GGML_OPENMP": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_UI": "OFF",
    "LLAMA_OPENSSL": "OFF",
    "LLAMA_USE_PREBUILT_UI": "OFF",  # it would be downloaded
}


class Llama(Program):
    """A running server, which needs no key."""

    def __init__(self, model: Path, log: Path) -> None:
        self.port = free_port()
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--alias", MODEL]
        options += ["--ctx-size", str(CONTEXT_TOKENS), "--parallel", "1", "--no-warmup"]
        super().__init__(
            "llama-server",
            [str(EXECUTABLE), "--model", str(model), *options],
            log=log,
            ready=lambda: "listening on" in self.output_of_this_run(),
            environment={"PATH": os.environ["PATH"]},
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@contextmanager
def llama() -> Iterator[Llama]:
    """Run one with a new model. Raises Missing."""
    install()
    folder = scratch_folder("llama")
    model = folder / "tiny.gguf"
    writer = Path(__file__).with_name("tiny_model.py")
    python = ENVIRONMENT.get_program_path("python")
    subprocess.run([str(python), str(writer), str(model)], check=True)
    running = Llama(model, folder / "log")
    try:
        running.start()
        yield running
    finally:
        running.kill()
        shutil.rmtree(folder, ignore_errors=True)


def install() -> None:
    """Fetch and compile the server, unless it is there. Raises Missing."""
    ENVIRONMENT.install()
    stamp = ENVIRONMENT.folder / "compiled"
    digest = hashlib.sha256(f"{SOURCE_LOCK.read_text()} {OPTIONS}".encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    if shutil.which("c++") is None:
        raise Missing("llama.cpp is left out: there is no C++ compiler.")
    source = _unpack_sources()
    # CMake refuses a folder in which it has compiled another source, and keeps old options.
    shutil.rmtree(BUILD, ignore_errors=True)
    options = [f"-D{name}={value}" for name, value in OPTIONS.items()]
    cmake = str(ENVIRONMENT.get_program_path("cmake"))
    ninja = f"-DCMAKE_MAKE_PROGRAM={ENVIRONMENT.get_program_path('ninja')}"
    _run([cmake, "-G", "Ninja", ninja, *options, "-S", str(source), "-B", str(BUILD)])
    jobs = ["--parallel", str(os.cpu_count())]
    _run(["nice", "-n", "19", cmake, "--build", str(BUILD), "--target", "llama-server", *jobs])
    stamp.write_text(digest)


def _unpack_sources() -> Path:
    shutil.rmtree(SOURCES, ignore_errors=True)
    ENVIRONMENT.download(SOURCE_LOCK, SOURCES)
    [archive] = SOURCES.glob("*.tar.gz")
    shutil.unpack_archive(archive, SOURCES, filter="data")
    [source] = SOURCES.glob("*/vendor/llama.cpp")
    return source


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=BUILD_SECONDS)
    except subprocess.CalledProcessError as error:
        error.add_note((error.stdout + error.stderr)[-2_000:])
        raise
