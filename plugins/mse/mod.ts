/**
 * Message stream encryption: hides from networks along the way that a connection is BitTorrent's.
 *
 * @module
 */
import {
  acceptPeer,
  definePlugin,
  dialPeer,
  errorText,
  list,
  NetError,
  object,
  oneOf,
  optional,
  type PluginScope,
  ProtocolError,
  type Schema,
  streamSecurity,
  withDefault,
} from "weft";
import type { Cipher } from "./handshake.ts";
import { openAccepted, openDialed } from "./open.ts";
import { WriteBuffers } from "./write_buffers.ts";

const config = object({
  policy: withDefault(oneOf("off", "allow", "prefer", "require"), "prefer"),
  ciphers: optional(list(oneOf("rc4", "plaintext"), { minItems: 1 })),
});
type Config = typeof config extends Schema<infer C> ? C : never;

// A peer that knows nothing of encryption closes at once; some wait for ever. The kernel gives a dial 10 s in all, and
// the second, plain one needs some of them (ms).
const ANSWER_TIMEOUT = 4_000;

export default definePlugin({
  name: "mse",
  summary: "Encrypts peers' streams, so that networks can't tell what they are",
  config,
  example: { policy: "prefer", ciphers: ["rc4", "plaintext"] },
  provides: ["peers.accept", "stream.security:mse"],
  wants: ["private"],
  setup(plugin: PluginScope<Config>): void {
    const { policy } = plugin.config;
    if (policy === "off") return;
    const required = policy === "require";
    const { random } = plugin;
    const ciphers: readonly Cipher[] = plugin.config.ciphers ?? (required ? ["rc4"] : ["rc4", "plaintext"]);
    const buffers = new WriteBuffers();
    plugin.provide(streamSecurity, "mse", { policy: required ? "required" : "supported" });

    plugin.on(acceptPeer, async (request, next) => {
      const { stream } = await next(request);
      const { secretOf, signal } = request;
      const opened = await openAccepted(stream, { secretOf, ciphers, random }, buffers, signal);
      if (required && opened.encryption === "none") {
        throw new ProtocolError('Cannot accept the peer: it does not encrypt, and the policy of mse is "require"');
      }
      return opened;
    });

    if (policy === "allow") return;
    plugin.on(dialPeer, async (request, next) => {
      // It took nothing but a plain stream the last time.
      if (!required && request.lastEncryption === "none") return await next(request);
      const { stream } = await next(request);
      const options = { infoHash: request.id.wireIds[0].bytes, ciphers, random };
      const answerTimeout = plugin.clock.after(
        ANSWER_TIMEOUT,
        () => stream.close(new ProtocolError(`Cannot encrypt: no answer within ${ANSWER_TIMEOUT / 1000} s`)),
      );
      try {
        return await openDialed(stream, options, buffers, request.signal);
      } catch (error) {
        if (required || request.signal.aborted || !isPeerFault(error)) throw error;
        plugin.log.debug(`Dials ${request.address} again, without encryption: ${errorText(error)}`);
      } finally {
        answerTimeout.cancel();
      }
      return await next(request);
    });
  },
});

function isPeerFault(error: unknown): boolean {
  return error instanceof ProtocolError || error instanceof NetError;
}
