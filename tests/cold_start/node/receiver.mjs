// A receiver as one writes it in JavaScript: is the delivery genuine, is the connection known, into the queue.

import { createHmac, timingSafeEqual } from "node:crypto";
import { Agent, request } from "node:http";
import { DynamoDBClient, GetItemCommand } from "@aws-sdk/client-dynamodb";
import { SQSClient, SendMessageCommand } from "@aws-sdk/client-sqs";

const dynamodb = new DynamoDBClient({});
const sqs = new SQSClient({});

async function handle(event) {
  const digest = createHmac("sha256", process.env.WEBHOOK_SECRET).update(event.body).digest();
  const given = Buffer.from(event.headers["x-shopify-hmac-sha256"], "base64");
  if (given.length !== digest.length || !timingSafeEqual(given, digest)) return { statusCode: 401, body: "" };
  const Key = { pk: { S: "connection" }, sk: { S: event.pathParameters.connection_id } };
  const { Item } = await dynamodb.send(new GetItemCommand({ TableName: process.env.REGISTRY_TABLE, Key }));
  if (!Item) return { statusCode: 404, body: "" };
  const QueueUrl = process.env.RAW_DELIVERIES_QUEUE_URL;
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: event.body }));
  return { statusCode: 200, body: "" };
}

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const asked = request({ agent, host, port, method, path: `/2018-06-01/runtime/invocation/${path}` }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, text: Buffer.concat(chunks).toString() }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

for (;;) {
  const { headers, text } = await call("GET", "next");
  const answer = await handle(JSON.parse(text));
  await call("POST", `${headers["lambda-runtime-aws-request-id"]}/response`, JSON.stringify(answer));
}
