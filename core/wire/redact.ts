/** Texts as others may see them: without what URLs keep secret. @module */

// A URL in a text: scheme, credentials, host and port, and the rest, in which trackers have passkeys.
const URLS = /\b(?!file:)([a-z][a-z0-9+.-]*:\/\/)(?:[^\s/?#"'<>@]*@)?([^\s/?#"'<>]+)([/?#][^\s"'<>]*)?/gi;
const MAGNETS = /\bmagnet:\?[^\s"'<>]+/gi;

/**
 * The text with every URL in it cut to its origin, and every magnet link to its beginning: `http://t.example/KEY/announce`
 * becomes `http://t.example/…`. File URLs are left as they are: they name code.
 */
export function redactUrls(text: string): string {
  if (!text.includes(":")) return text;
  return text
    .replace(URLS, (_, scheme: string, host: string, rest = "") => `${scheme}${host}${rest.length > 1 ? "/…" : rest}`)
    .replace(MAGNETS, "magnet:?…");
}
