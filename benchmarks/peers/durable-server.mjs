// The reference server of durable streams: in memory, or in files in the folder that is named.

import { DurableStreamTestServer } from "@durable-streams/server";
import { say } from "./tokens.mjs";

console.info = () => {}; // it would log each append that takes long, on our line for answers

const [dataDir] = process.argv.slice(2);
const server = new DurableStreamTestServer({ port: 0, host: "127.0.0.1", dataDir });
say({ url: await server.start() });
process.stdin.resume().on("end", () => process.exit(0));
