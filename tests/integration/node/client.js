// A client in another language that knows PoseBridge only by its proto files.
//
//   node client.js HOST:PORT PROTO_DIR
//
// Lists the services by reflection, asks what is served, streams a moving body and prints what came back as one JSON object.
import path from "node:path";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const [address, protoDir] = process.argv.slice(2);
const here = path.dirname(fileURLToPath(import.meta.url));
const deadlineMs = 30_000;

function load(file, includeDir) {
  const options = { keepCase: false, longs: Number, enums: String, oneofs: true, includeDirs: [includeDir] };
  return grpc.loadPackageDefinition(protoLoader.loadSync(file, options));
}

function listServices() {
  const { ServerReflection } = load("reflection.proto", here).grpc.reflection.v1alpha;
  const client = new ServerReflection(address, grpc.credentials.createInsecure());
  return new Promise((resolve, reject) => {
    const call = client.ServerReflectionInfo({ deadline: Date.now() + deadlineMs });
    call.on("data", (response) => {
      resolve(response.listServicesResponse.service.map((service) => service.name).sort());
      call.end();
    });
    call.on("error", reject);
    call.on("end", () => client.close());
    call.write({ listServices: "*" });
  });
}

function getModelInfo(client) {
  return new Promise((resolve, reject) => {
    const answer = (error, info) => (error ? reject(error) : resolve(info));
    client.getModelInfo({}, { deadline: Date.now() + deadlineMs }, answer);
  });
}

// x, y, z, visibility per landmark: bodies need no more than to be there and to move.
function landmarks(count, time_s) {
  const numbers = [];
  for (let i = 0; i < count; i += 1) {
    const side = i % 2 === 0 ? 1 : -1;
    numbers.push(0.15 * side, 0.5 * Math.sin(i), 0.05 * Math.cos(i) + 0.02 * Math.sin(3 * time_s + i), 1);
  }
  return numbers;
}

function firstForecast(client, info) {
  return new Promise((resolve, reject) => {
    const call = client.streamForecasts({ deadline: Date.now() + deadlineMs });
    let accepted = null;
    call.on("data", (response) => {
      if (response.payload === "accepted") {
        accepted = response.accepted;
        for (let i = 0; i < info.contextFrames + 5; i += 1) {
          const time_s = i / info.rateHz;
          const frame = { sequence: i, timestampUs: Math.round(1e6 + time_s * 1e6) };
          call.write({ frame: { ...frame, avatarId: "node", landmarks: landmarks(info.landmarkNames.length, time_s) } });
        }
      } else if (response.payload === "forecast") {
        resolve({ accepted, forecast: response.forecast });
        call.end();
      } else {
        reject(new Error(JSON.stringify(response)));
      }
    });
    call.on("error", reject);
    const config = { protocolVersion: 1, clientName: "node", layoutId: info.layoutId, samples: 8, futures: 3 };
    call.write({ config: { ...config, horizonMs: 500, encoding: "DATA_TYPE_FLOAT32" } });
  });
}

const services = await listServices();
const { ForecastService } = load("posebridge/v1/forecast.proto", protoDir).posebridge.v1;
const client = new ForecastService(address, grpc.credentials.createInsecure());
const info = await getModelInfo(client);
const { accepted, forecast } = await firstForecast(client, info);
client.close();

const data = forecast.futures.data;
const metres = new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
console.log(
  JSON.stringify({
    services,
    layout_id: info.layoutId,
    session_id: accepted.sessionId,
    avatar_id: forecast.avatarId,
    dtype: forecast.futures.dtype,
    shape: forecast.futures.shape,
    numbers: metres.length,
    furthest_m: metres.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
    probabilities: forecast.probabilities,
    mode_ids: forecast.modeIds,
  }),
);
