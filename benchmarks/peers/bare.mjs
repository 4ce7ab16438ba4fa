// The generator of the tokens and nothing else: microseconds of CPU for a token that nobody takes.

import { now, say, steady } from "./tokens.mjs";

const { streams, rate, seconds } = JSON.parse(process.argv[2]);
const start = now() + 0.5;
const count = Math.floor(rate * seconds);
const before = process.cpuUsage();
await Promise.all(
  Array.from({ length: streams }, (_, number) =>
    steady({ start: start + number / rate / streams, rate, count }, () => {}),
  ),
);
const { user, system } = process.cpuUsage(before);
say((user + system) / streams / count);
