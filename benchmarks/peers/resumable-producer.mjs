// Makes streams with resumable-stream, which keeps them in the memory of this process. The readers
// that are measured all resume, in the other process.

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

/** Read the original, as the response does that it is made for. */
async function drain(stream) {
  const reader = stream.getReader();
  while (!(await reader.read()).done);
}

/** Return once all of a burst has been read into the memory of resumable-stream. */
async function taken(id, count) {
  const reader = (await context.resumeExistingStream(id)).getReader();
  for (let length = 0; length < count * event("12345").length; ) {
    length += (await reader.read()).value.length;
  }
  await reader.cancel();
}

say({ ready: true });
for await (const order of orders()) {
  if (order.do === "streams") {
    for (const stream of order.streams) {
      drain(await context.createNewResumableStream(stream.id, () => live(stream)));
    }
  } else if (order.do === "burst") {
    for (const id of order.ids) {
      await context.createNewResumableStream(id, () => burst(order));
      await taken(id, order.count);
    }
  }
  say({ running });
}
process.exit(0);
