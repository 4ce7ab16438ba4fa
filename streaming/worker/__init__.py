"""The worker: claims streams, runs their sources, writes their text and ends them.

Sources start nowhere else. A socket or a request never owns a run: it writes a row, and a worker
claims that. The rows are the queue, so a worker that dies loses nothing: another one claims its
streams. Channels' own `runworker` would lose every unfinished job with its process, so `runtime`
hosts the worker, in a process of its own or inside the web server's.
"""

from __future__ import annotations

from streaming.worker.worker import StreamWorker as StreamWorker
