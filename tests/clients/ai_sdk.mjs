// The stock client of the AI SDK, with nothing of ours but the orders: one JSON object on each line,
// and an answer on each. Every chat is one as of a page that was just loaded.

import { createInterface } from "node:readline";
import { Chat } from "@ai-sdk/react";
import * as sdk from "ai";

const chats = new Map();

function createTransport({ url, token, transport }) {
  const headers = { Authorization: `Bearer ${token}` };
  if (transport === "http") {
    return new sdk.DefaultChatTransport({ api: `${url}/api/chat`, headers });
  }
  return createSocketTransport(url, headers);
}

function createSocketTransport(url, headers) {
  // A browser sends its cookie with the handshake. Node sends the token as a header.
  class SocketWithHeaders extends globalThis.SocketOfNode {
    constructor(address) {
      super(address, { headers });
    }
  }
  return new sdk.WebSocketChatTransport({ url: `${url}/ws/chat`, webSocket: SocketWithHeaders });
}

function openChat({ name, messages = [], ...place }) {
  const finishes = [];
  const chat = new Chat({
    id: name,
    messages,
    transport: createTransport(place),
    onFinish: ({ isAbort, isDisconnect, isError, finishReason }) =>
      finishes.push({ isAbort, isDisconnect, isError, finishReason }),
  });
  chats.set(name, { chat, finishes, running: null });
}

function describeChat({ chat, finishes }) {
  return {
    status: chat.status,
    error: chat.error?.message ?? "",
    messages: chat.messages,
    finishes,
  };
}

const orders = {
  open: openChat,
  async send({ name, text, options }) {
    await chats.get(name).chat.sendMessage({ text }, options);
  },
  begin({ name, text, options }) {
    const opened = chats.get(name);
    opened.running = opened.chat.sendMessage({ text }, options);
  },
  async finish({ name }) {
    await chats.get(name).running;
  },
  async edit({ name, messageId, text }) {
    await chats.get(name).chat.sendMessage({ text, messageId });
  },
  async regenerate({ name, options }) {
    await chats.get(name).chat.regenerate(options);
  },
  async resume({ name }) {
    await chats.get(name).chat.resumeStream();
  },
  async stop({ name }) {
    await chats.get(name).chat.stop();
  },
  state() {},
};

async function main() {
  if (sdk.WebSocketChatTransport) {
    const { WebSocket } = await import("ws");
    globalThis.SocketOfNode = WebSocket;
  }
  for await (const line of createInterface({ input: process.stdin })) {
    const { order, ...fields } = JSON.parse(line);
    await orders[order](fields);
    process.stdout.write(`${JSON.stringify(describeChat(chats.get(fields.name)))}\n`);
  }
}

await main();
