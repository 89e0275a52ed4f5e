// Appends a second of @event-driven-io/emmett-postgresql: node emmett.mjs DATABASE_URL CLIENTS COUNT
import { randomUUID } from "node:crypto";
import { getPostgreSQLEventStore } from "@event-driven-io/emmett-postgresql";

const [url, clients, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const store = getPostgreSQLEventStore(url);
const event = () => ({
  type: "incident.reported",
  data: {
    actor: "bench",
    occurredAt: "2026-03-01T00:00:00Z",
    source: "CITIZEN",
    siteId: "1eed156e-4c46-5177-852c-11429379fa08",
    township: "bench",
    category: "noise",
    description: "夜间施工噪声, from about eleven at night until after one, on the east side",
  },
});
const client = async (appends) => {
  for (let i = 0; i < appends; i++) {
    await store.appendToStream(`incident-${randomUUID()}`, [event()], { expectedStreamVersion: "STREAM_DOES_NOT_EXIST" });
  }
};
await client(20); // its schema made, its statements prepared
const each = Math.floor(count / clients);
const began = performance.now();
await Promise.all(Array.from({ length: clients }, () => client(each)));
console.log(JSON.stringify({ rate: (each * clients * 1000) / (performance.now() - began) }));
await store.close();
