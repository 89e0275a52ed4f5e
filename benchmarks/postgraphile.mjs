// PostGraphile over our read models, as it comes: node postgraphile.mjs DATABASE_URL; the first line it prints is its address.
import { createServer } from "node:http";
import { makePgService } from "@dataplan/pg/adaptors/pg";
import { grafserv } from "grafserv/node";
import { postgraphile } from "postgraphile";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";

const server = createServer();
const instance = postgraphile({
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ connectionString: process.argv[2], schemas: ["public"] })],
  grafast: { explain: false },
  grafserv: { graphiql: false, watch: false },
});
await instance.createServ(grafserv).addTo(server);
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
