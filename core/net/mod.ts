/**
 * The guarded network: everything between the kernel, or a plugin, and the host's sockets.
 *
 * @module
 */
export { withDeadline } from "./deadline.ts";
export { Egress, type EgressSource } from "./egress.ts";
export { OwnAddress } from "./external_address.ts";
export { type FetchMeans, guardedFetch } from "./fetch.ts";
export { Listeners, type ListenersOptions, type StagedListeners } from "./listeners.ts";
export { resolveNamed } from "./named_peer.ts";
export { createPluginNet, type PluginNetOptions } from "./plugin_net.ts";
export { SocketPool, type Sockets } from "./sockets.ts";
export { type Claimant, SharedUdp, type SharedUdpOptions, type StagedUdp } from "./udp_port.ts";
