// Serves the page, and passes what it asks for on to Holdfast with the token, which so stays here.

import { createServer } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { build } from "esbuild";

const { HOLDFAST_URL = "http://127.0.0.1:8000", HOLDFAST_TOKEN = "", PORT = "3000" } = process.env;
const ADDRESSES = [`127.0.0.1:${PORT}`, `localhost:${PORT}`];
const PASSED_ON = ["content-type", "last-event-id"];
const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Holdfast and the AI SDK</title>
<body><div id="chat"></div><script type="module" src="/app.js"></script></body></html>`;

const { outputFiles } = await build({
  entryPoints: [new URL("app.jsx", import.meta.url).pathname],
  bundle: true,
  format: "esm",
  jsx: "automatic",
  minify: true,
  write: false,
  define: { "process.env.NODE_ENV": '"production"' },
});

/** Pages of other sites can send requests here, too. They must not use the token. */
function isOwnPage({ headers, method }) {
  const isOwn = (address) => ADDRESSES.includes(address);
  const origin = headers.origin?.replace("http://", "");
  return isOwn(headers.host) && (origin ? isOwn(origin) : method === "GET");
}

async function passOn(request, response) {
  const chosen = PASSED_ON.filter((name) => request.headers[name]);
  const leaving = new AbortController();
  response.on("close", () => leaving.abort());
  const answer = await fetch(HOLDFAST_URL + request.url, {
    method: request.method,
    headers: {
      Authorization: `Bearer ${HOLDFAST_TOKEN}`,
      ...Object.fromEntries(chosen.map((name) => [name, request.headers[name]])),
    },
    body: request.method === "POST" ? Readable.toWeb(request) : undefined,
    duplex: "half",
    signal: leaving.signal,
  });
  const type = answer.headers.get("content-type");
  response.writeHead(answer.status, type ? { "content-type": type } : {});
  response.flushHeaders();
  if (answer.body) await pipeline(Readable.fromWeb(answer.body), response);
  else response.end();
}

createServer((request, response) => {
  if (!isOwnPage(request)) {
    response.writeHead(403).end();
  } else if (request.url.startsWith("/api/chat")) {
    // A body that breaks off has to break off here, too.
    passOn(request, response).catch(() => response.destroy());
  } else if (request.url === "/app.js") {
    response.writeHead(200, { "content-type": "text/javascript" }).end(outputFiles[0].text);
  } else {
    response.writeHead(200, { "content-type": "text/html" }).end(PAGE);
  }
}).listen(Number(PORT), "127.0.0.1", () => console.log(`Open http://127.0.0.1:${PORT}/`));
