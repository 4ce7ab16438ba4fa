"""What a growing reply costs the page, in Chromium: `python -m benchmarks.page [shape …]`."""

import argparse
from http.server import ThreadingHTTPServer
from threading import Thread

from playwright.sync_api import sync_playwright

from benchmarks.page import measuring
from benchmarks.page.answers import ANSWERS
from tests.js.conftest import Files
from tests.services import chromium


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("shape", nargs="*", default=list(ANSWERS))
    parser.add_argument("--slower", type=float, nargs="*", default=[1.0, 4.0])
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.FLAGS)
        )
        address = f"http://127.0.0.1:{server.server_port}"
        for shape in options.shape:
            for slower in options.slower:
                cost = measuring.measure(browser, address, ANSWERS[shape](), slower=slower)
                print(f"{shape:9} {slower:.0f}x  {cost}", flush=True)
            jumped = measuring.jumps(browser, address, ANSWERS[shape]())
            print(f"{shape:9}     {jumped} jumps of finished blocks", flush=True)
        browser.close()
    server.shutdown()


if __name__ == "__main__":
    main()
