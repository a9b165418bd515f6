// URLs of trackers and web seeds: what makes one usable, for everybody who reads, writes or asks them.
import { ProtocolError } from "./errors.ts";
import { quote } from "./text.ts";

// Schemes that are about a port and have none of their own. What a plugin's scheme needs, that plugin knows.
const WITHOUT_PORT = ["udp:"];

/**
 * Reads the URL of a tracker or a web seed. Spaces around it don't count, nor does the scheme's case; it has a host, and
 * no port that can't be connected to.
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
  if (url.port === "" && WITHOUT_PORT.includes(url.protocol)) throw fault("it has no port");
  if (url.port !== "" && Number(url.port) === 0) throw fault("port 0 can't be connected to");
  return url;
}
