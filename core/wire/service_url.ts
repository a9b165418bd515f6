// URLs of trackers and web seeds: what makes one usable, for everybody who reads, writes or asks them.
import { ProtocolError } from "./errors.ts";
import { quote } from "./text.ts";

// Schemes of which everybody knows the port.
const PORTED = ["http:", "https:", "ws:", "wss:"];

/**
 * Reads the URL of a tracker or a web seed. Spaces around it don't count, nor does the scheme's case; it has a host, and
 * a port that can be connected to: its own, or its scheme's.
 *
 * @throws {ProtocolError} saying what is wrong
 */
export function parseServiceUrl(text: string, schemes?: readonly string[]): URL {
  const fault = (what: string) => new ProtocolError(`Cannot use ${quote(text)}: ${what}`);
  const trimmed = text.trim();
  if (!URL.canParse(trimmed)) throw fault("it is not a URL");
  const url = new URL(trimmed);
  if (schemes && !schemes.includes(url.protocol)) {
    throw fault(`it must begin with ${schemes.map((scheme) => `${scheme}//`).join(" or ")}`);
  }
  if (url.hostname === "") throw fault("it has no host");
  if (url.port === "" && !PORTED.includes(url.protocol)) throw fault("it has no port");
  if (url.port !== "" && Number(url.port) === 0) throw fault("port 0 can't be connected to");
  return url;
}
