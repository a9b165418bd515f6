/** Whom a plugin's configuration names: hosts that a simulated world must have. @module */
import { parseIp } from "../../core/api/mod.ts";

const HTTP_PORTS = [80, 443];

/** A host name, and the ports that it is asked at. */
export interface Contact {
  readonly name: string;
  readonly ports: readonly number[];
}

/** The DNS names in the texts of a configuration (in URLs, or as `host:port`), and `more` of them. */
export function contacts(configuration: unknown, more: readonly string[] = []): readonly Contact[] {
  const found = new Map<string, Set<number>>(more.map((name) => [name.toLowerCase(), new Set(HTTP_PORTS)]));
  for (const text of texts(configuration)) {
    const [, inUrl, urlPort] = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/@?#]*@)?([^/:?#[\]]+)(?::(\d{1,5}))?/i.exec(text) ?? [];
    const [, plain, plainPort] = /^([a-z0-9_-]+(?:\.[a-z0-9_-]+)*):(\d{1,5})$/i.exec(text) ?? [];
    const name = (inUrl ?? plain)?.toLowerCase();
    if (name === undefined || name === "localhost" || parseIp(name)) continue;
    const ports = found.get(name) ?? new Set(HTTP_PORTS);
    const port = Number(urlPort ?? plainPort);
    if (port > 0 && port < 65_536) ports.add(port);
    found.set(name, ports);
  }
  return [...found].map(([name, ports]) => ({ name, ports: [...ports] }));
}

function texts(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(texts);
}
