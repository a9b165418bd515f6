/** The control interface across processes: server, client and where they meet. @module */
export { connectControl, type ControlClient } from "./client.ts";
export { claimControl, type ControlApp, controlApp, type ProcessCommands, serveControl } from "./server.ts";
export { controlAnswers, controlPath } from "./socket.ts";
