/**
 * Isolated plugins: behind messages, with the permissions that their entry grants and no others.
 *
 * @module
 */
export { Guest, type GuestOptions } from "./guest.ts";
export { type SandboxOptions, sandboxPlugin } from "./sandbox.ts";
