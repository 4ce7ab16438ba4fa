"""The fake provider alone. Its first line is JSON with its address."""

import argparse
import asyncio
import contextlib
import json
import signal
import sys

from tools.fake_provider.oddity_table import describe_oddities
from tools.fake_provider.prompt_directives import HELP
from tools.fake_provider.server import FakeServer

USAGE = """\
To let Holdfast ask it, start it with
  OPENAI_BASE_URL={url}/v1 ANTHROPIC_BASE_URL={url} GOOGLE_GEMINI_BASE_URL={url}/v1beta make run
and save any text as a key. An unscripted message is answered with numbered words.

{help}
The oddities:
{oddities}
Scripts and requests: POST {url}/_fake/script, GET {url}/_fake/requests. Ctrl-C ends it."""


async def serve(port: int, delay: float, *, with_stdin: bool, explain: bool) -> None:
    """Serve until a signal, or until standard input ends if it is a pipe from a parent."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    if with_stdin:
        loop.add_reader(sys.stdin, stop.set)
    async with FakeServer(delay=delay).listen(port) as bound_port:
        url = f"http://127.0.0.1:{bound_port}"
        print(json.dumps({"url": url, "openai": f"{url}/v1"}), flush=True)
        if explain:
            print(USAGE.format(url=url, help=HELP, oddities=describe_oddities()), flush=True)
        await stop.wait()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tools.fake_provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds per unscripted delta")
    parser.add_argument("--with-stdin", action="store_true", help="end when standard input does")
    parser.add_argument("--explain", action="store_true", help="say how to use it")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(**vars(arguments)))


if __name__ == "__main__":
    main()
