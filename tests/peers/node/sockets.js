// Listens as App Suite's user interface does, with socket.io-client 2 or 4: {version, url, attempts} as an argument.
// Writes what it hears, an array a line; sends and asks what stands on its standard input, until that ends.
"use strict";

const readline = require("node:readline");
const { version, url, attempts } = JSON.parse(process.argv[2]);
const io = require(version === 2 ? "socket.io-client-2" : "socket.io-client");

const tell = (...words) => process.stdout.write(`${JSON.stringify(words)}\n`);
const socket = io(url, {
  path: "/socket.io/appsuite",
  transports: ["websocket"],
  reconnectionAttempts: attempts,
  reconnectionDelay: 20,
  reconnectionDelayMax: 20,
});

for (const name of ["connect", "disconnect", "connect_error", "error"]) {
  socket.on(name, (reason) => tell(name, reason === undefined ? null : String(reason.message || reason)));
}
for (const name of ["ox:mail:new", "session:invalid"]) {
  socket.on(name, (...args) => tell(name, ...args));
}
socket.io.on("reconnect_failed", () => tell("reconnect_failed"));
socket.io.on("error", (reason) => tell("manager error", String(reason)));

readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => socket.emit(...JSON.parse(line), () => tell("acknowledged")))
  .on("close", () => socket.close());
