// Makes streams and appends each token with a POST of its own, one after the other.

import { Agent, request } from "node:http";
import { orders, say, steady, token } from "./tokens.mjs";

const [url] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: Infinity });
let running = 0;
let round = 0;
const failed = {}; // what was answered instead of an append, and how often

const call = (method, path, body = "", headers = {}) =>
  new Promise((resolve, reject) => {
    const sent = request(url + path, {
      agent,
      method,
      headers: { "content-type": "text/plain", "content-length": body.length, ...headers },
    });
    sent.on("error", reject);
    sent.on("response", (answer) => {
      answer
        .resume()
        .on("end", () =>
          answer.statusCode < 300 ? resolve() : reject(new Error(`${method} ${answer.statusCode}`)),
        );
    });
    sent.end(body);
  });

const fail = ({ message }) => (failed[message] = (failed[message] ?? 0) + 1);

async function live(stream, mine) {
  running++;
  let wanted = true;
  await steady(stream, (text) => {
    wanted = wanted && mine === round;
    return wanted ? call("POST", stream.path, text).catch(fail) : null;
  });
  if (wanted) await call("POST", stream.path, "", { "stream-closed": "true" });
  running--;
}

say({ ready: true });
for await (const order of orders()) {
  if (order.do === "streams") {
    round++;
    for (const stream of order.streams) await call("PUT", stream.path);
    for (const stream of order.streams) live(stream, round);
  } else if (order.do === "stop") {
    round++;
  } else if (order.do === "burst") {
    await call("PUT", order.path);
    for (let index = 0; index < order.count; index++) await call("POST", order.path, token(index));
  }
  say({ running, failed });
}
process.exit(0);
