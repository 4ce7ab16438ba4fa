// LangGraph's stock SDK for JavaScript: starts a run or joins one, and reports what it gets. The SDK
// goes on after a broken body by itself.

import { readFileSync } from "node:fs";
import { Client } from "@langchain/langgraph-sdk";

const task = JSON.parse(readFileSync(0, "utf-8"));
const report = (facts) => console.log(JSON.stringify(facts));

const client = new Client({
  apiUrl: `${task.url}/api/langgraph`,
  apiKey: null,
  defaultHeaders: { Authorization: `Bearer ${task.token}` },
});
const streamMode = ["messages-tuple", "values"];

async function open() {
  if (task.run) {
    const lastEventId = task.after ?? "-1";
    return client.runs.joinStream(task.thread, task.run, { streamMode, lastEventId });
  }
  const thread = await client.threads.create();
  report({ thread: thread.thread_id });
  const input = { messages: [{ role: "user", content: task.question }] };
  return client.runs.stream(thread.thread_id, task.model, { input, streamMode });
}

async function follow() {
  let text = task.text ?? "";
  let values = "";
  for await (const { event, data, id } of await open()) {
    if (event === "metadata") {
      report({ run: data.run_id });
    } else if (event === "messages") {
      text += data[0].content;
      report({ text, id });
    } else if (event === "values") {
      values = data.messages.at(-1).content;
    } else if (event === "error") {
      report({ error: data.error, text });
    } else if (event === "end") {
      report({ end: data.status, text, values });
    }
  }
}

if (task.stop) {
  await client.runs.cancel(task.thread, task.run, true);
  report({ end: "stopped", text: "" });
} else {
  await follow();
}
