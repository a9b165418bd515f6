/** Pure codecs between bytes and values: no I/O, no clock, no other room. */
export * from "./bencode.ts";
export * from "./bitfield.ts";
export * from "./compact.ts";
export * from "./digest.ts";
export * from "./errors.ts";
export * from "./extended.ts";
export * from "./handshake.ts";
export * from "./info.ts";
export * from "./ip_range.ts";
export * from "./magnet.ts";
export * from "./message.ts";
export * from "./message_writer.ts";
export * from "./metainfo.ts";
export * from "./peer_address.ts";
export * from "./text.ts";
export * from "./torrent_id.ts";
export * from "./udp_tracker.ts";
