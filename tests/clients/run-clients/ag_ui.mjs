// AG-UI's stock HttpAgent: runs, comes back after a broken body, and reports what it gets.

import { readFileSync } from "node:fs";
import { HttpAgent } from "@ag-ui/client";

const task = JSON.parse(readFileSync(0, "utf-8"));
const report = (facts) => console.log(JSON.stringify(facts));
console.error = () => {}; // the agent prints each failure, which this program reports itself
// HttpAgent 1.0.0 rejects a second promise after a broken body, which would end Node.
process.on("unhandledRejection", () => {});

class ResumableAgent extends HttpAgent {
  connect(input) {
    return this.run(input);
  }
}

const agent = new ResumableAgent({
  url: `${task.url}/api/ag-ui/`,
  headers: { Authorization: `Bearer ${task.token}` },
  threadId: task.thread,
});
const ending = {};

const readText = () => agent.messages.findLast(({ role }) => role === "assistant")?.content ?? "";

agent.subscribe({
  onRunStartedEvent: () => report({ run: task.run, thread: task.thread }),
  onTextMessageContentEvent: ({ textMessageBuffer, event }) =>
    report({ text: textMessageBuffer + event.delta }),
  onRunFinishedEvent: ({ outcome }) => {
    ending.end = outcome;
  },
  onRunErrorEvent: ({ event }) => {
    ending.error = event.code;
  },
});

async function isOver(work) {
  try {
    await work;
  } catch (error) {
    if (error.status && error.status < 500) throw error;
  }
  return ending.end !== undefined || ending.error !== undefined;
}

async function follow() {
  const run = { runId: task.run, forwardedProps: { model: task.model, stop: task.stop } };
  if (task.question && !task.stop) {
    agent.addMessage({ id: "question", role: "user", content: task.question });
    if (await isOver(agent.runAgent(run))) return;
  }
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (await isOver(agent.connectAgent(run))) return;
    await new Promise((resolve) => {
      setTimeout(resolve, 500);
    });
  }
}

await follow();
report({ ...ending, text: readText(), values: readText(), messages: agent.messages });
