// Makes streams with resumable-stream, in the memory of this process. Nobody reads the originals:
// every reader is one that resumes, in the other process.

import { createClient } from "redis";
import { createResumableStreamContext } from "resumable-stream";
import { orders, say, steady, token } from "./tokens.mjs";

const url = process.env.REDIS_URL;
const publisher = await createClient({ url }).connect();
const subscriber = await createClient({ url }).connect();
const context = createResumableStreamContext({ waitUntil: null, publisher, subscriber });
let running = 0;

/** An event as the AI SDK sends it. */
const event = (text) => `data: {"type":"text-delta","id":"0","delta":"${text}"}\n\n`;

const live = (stream) =>
  new ReadableStream({
    async start(controller) {
      running++;
      steady(stream, (text) => controller.enqueue(event(text))).then(() => {
        controller.enqueue("data: [DONE]\n\n");
        controller.close();
        running--;
      });
    },
  });

/** So many events at once, and then none for as long as this process lives. */
const burst = ({ count }) =>
  new ReadableStream({
    start(controller) {
      for (let index = 0; index < count; index++) controller.enqueue(event(token(index)));
    },
  });

say({ ready: true });
for await (const order of orders()) {
  if (order.do === "streams") {
    for (const stream of order.streams) {
      await context.createNewResumableStream(stream.id, () => live(stream));
    }
  } else if (order.do === "burst") {
    await context.createNewResumableStream(order.id, () => burst(order));
    await new Promise((taken) => setTimeout(taken, 1000));
  }
  say({ running });
}
process.exit(0);
