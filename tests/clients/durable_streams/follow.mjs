// Prints each piece of text that the protocol's own client reads, as a line of JSON. The client passes
// a broken body of events on as an error; its user continues with the last offset.
import { stream } from "@durable-streams/client";

const { ADDRESS, MODE, TOKEN } = process.env;
let offset = "-1";
let isOver = false;

function printChunk(chunk) {
  if (chunk.text) process.stdout.write(`${JSON.stringify(chunk.text)}\n`);
  offset = chunk.offset;
  isOver = chunk.streamClosed;
}

async function follow() {
  const response = await stream({
    url: ADDRESS,
    live: MODE,
    offset,
    headers: { Authorization: `Bearer ${TOKEN}` },
  });
  response.subscribeText(printChunk);
  await response.closed;
  isOver ||= response.streamClosed;
}

while (!isOver) {
  try {
    await follow();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}
