// Serves the streams of the other process as server-sent events, by resuming them.

import { createServer } from "node:http";
import { createClient } from "redis";
import { createResumableStreamContext } from "resumable-stream";
import { say } from "./tokens.mjs";

const url = process.env.REDIS_URL;
const publisher = await createClient({ url }).connect();
const subscriber = await createClient({ url }).connect();
const context = createResumableStreamContext({ waitUntil: null, publisher, subscriber });

const HEADERS = { "content-type": "text/event-stream", "cache-control": "no-cache" };

const server = createServer(async (request, response) => {
  const stream = await context.resumeExistingStream(request.url.slice(1));
  if (!stream) return response.writeHead(404).end();
  response.writeHead(200, HEADERS);
  response.flushHeaders();
  const reader = stream.getReader();
  response.on("close", () => reader.cancel());
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (value) response.write(value);
  }
  response.end();
});
server.listen(0, "127.0.0.1", 1024, () => say({ port: server.address().port }));
process.stdin.resume().on("end", () => process.exit(0));
