// Sends pushes with @parse/node-apn: {provider, pushes: [{token, fields}]} on stdin, an array of results on stdout.
"use strict";

const fs = require("node:fs");
const apn = require("@parse/node-apn");

async function main() {
  const { provider, pushes } = JSON.parse(fs.readFileSync(0, "utf8"));
  const client = new apn.Provider(provider);
  const results = [];
  for (const { token, fields } of pushes) {
    const { sent, failed } = await client.send(Object.assign(new apn.Notification(), fields), token);
    const { status, response, error } = failed[0] || {};
    results.push({ sent: sent.length, status, response, error: error && error.message });
  }
  await client.shutdown();
  process.stdout.write(JSON.stringify(results));
}

main();
