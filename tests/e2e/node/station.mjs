// Lives one session as a station built on the npm package ocpp-rpc, which checks every message both ways against the
// schemas of OCPP 1.6 (strict mode). Prints the transactionId and the limits it was sent.
// node station.mjs ws://host:port/ocpp IDENTITY
import { RPCClient } from "ocpp-rpc";

const [endpoint, identity] = process.argv.slice(2);
const station = new RPCClient({ endpoint, identity, protocols: ["ocpp1.6"], strictMode: true });
const limits = [];
let toldLive;
const isLive = new Promise((resolve) => { toldLive = resolve; });

station.handle("SetChargingProfile", ({ params }) => {
  const profile = params.csChargingProfiles;
  limits.push([profile.chargingProfilePurpose, profile.chargingSchedule.chargingSchedulePeriod[0].limit]);
  if (profile.chargingProfilePurpose === "TxProfile") toldLive();
  return { status: "Accepted" };
});

const now = () => new Date().toISOString();
await station.connect();
const boot = await station.call("BootNotification", { chargePointVendor: "Node", chargePointModel: "RPC" });
if (boot.status !== "Accepted") throw new Error(`boot: ${boot.status}`);
await station.call("StatusNotification", { connectorId: 1, status: "Preparing", errorCode: "NoError" });
await station.call("Authorize", { idTag: "A1B2C3" });
const { transactionId } = await station.call("StartTransaction", {
  connectorId: 1, idTag: "A1B2C3", meterStart: 1000, timestamp: now(),
});
await station.call("StatusNotification", { connectorId: 1, status: "Charging", errorCode: "NoError" });
const current = (phase) => ({ value: "5.9", measurand: "Current.Import", phase, unit: "A" });
await station.call("MeterValues", {
  connectorId: 1, transactionId,
  meterValue: [{ timestamp: now(), sampledValue: [{ value: "1400" }, current("L1"), current("L2"), current("L3")] }],
});
await isLive;
await station.call("StopTransaction", { transactionId, meterStop: 2500, timestamp: now(), reason: "EVDisconnected" });
await station.call("Heartbeat", {});
await station.close();
console.log(JSON.stringify({ transactionId, limits }));
