// An operator's server (CPO) built on the npm package ocpp-rpc, which checks every message both ways against the schemas
// of OCPP 1.6 (strict mode). Orders come as lines of JSON on standard input, [number, identity, action, payload]; all that
// happens goes as lines of JSON to standard output. It ends with its input.
// node operator.mjs '{"A1B2C3": {"status": "Accepted"}}'
import { createInterface } from "node:readline";
import { RPCServer } from "ocpp-rpc";

const FIRST_NUMBER = 500_000; // no number of a transaction is by chance the load manager's own
const badges = JSON.parse(process.argv[2]);
const clients = new Map();
let transactions = FIRST_NUMBER;

const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const now = () => new Date().toISOString();
const badge = (idTag) => badges[idTag.toUpperCase()] ?? { status: "Invalid" };
const answers = {
  Authorize: ({ idTag }) => ({ idTagInfo: badge(idTag) }),
  BootNotification: () => ({ status: "Accepted", currentTime: now(), interval: 3600 }),
  DataTransfer: () => ({ status: "UnknownVendorId" }),
  DiagnosticsStatusNotification: () => ({}),
  FirmwareStatusNotification: () => ({}),
  Heartbeat: () => ({ currentTime: now() }),
  LogStatusNotification: () => ({}),
  MeterValues: () => ({}),
  SignedFirmwareStatusNotification: () => ({}),
  StartTransaction: ({ idTag }) => ({ transactionId: ++transactions, idTagInfo: badge(idTag) }),
  StatusNotification: () => ({}),
  StopTransaction: ({ idTag }) => (idTag ? { idTagInfo: badge(idTag) } : {}),
};

const server = new RPCServer({ protocols: ["ocpp1.6"], strictMode: true });
server.on("client", (client) => {
  const { identity } = client;
  const fault = (error) => tell({ identity, fault: `${error}` });
  clients.set(identity, client);
  client.on("strictValidationFailure", ({ method, error }) => fault(`${method}: ${error}`));
  client.on("badMessage", ({ error }) => fault(error));
  for (const [action, answer] of Object.entries(answers)) {
    client.handle(action, ({ params }) => {
      const answered = answer(params);
      tell({ identity, action, payload: params, answer: answered });
      return answered;
    });
  }
  client.handle(({ method }) => {
    fault(`${method}, which nobody expects`);
    return {};
  });
});

async function order([number, identity, action, payload]) {
  try {
    tell({ order: number, answer: await clients.get(identity).call(action, payload) });
  } catch (error) {
    tell({ order: number, error: `${error.rpcErrorCode ?? error.name}: ${error.message}` });
  }
}

const { port } = (await server.listen(0, "127.0.0.1")).address();
tell({ port });
for await (const line of createInterface({ input: process.stdin })) order(JSON.parse(line));
process.exit();
