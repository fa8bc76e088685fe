/** Shorter texts are too likely to be part of something else that happens to be written the same. */
const SHORTEST = 6;

/** `PASSWORD` of `scheme://user:PASSWORD@host`. */
const URL_PASSWORD = /(?<=\b[a-z][a-z0-9+.-]*:\/\/[^\s/?#@:]*:)[^\s/?#]+(?=@)/gi;

/** A function that replaces every secret in a text, longest first, and the passwords of URLs. */
export function createRedactor(secrets: readonly string[], replacement: string): (text: string) => string {
  const hidden = [...new Set(secrets)].filter((it) => it.length >= SHORTEST).sort((a, b) => b.length - a.length);
  const known = (text: string) => hidden.reduce((result, secret) => result.replaceAll(secret, replacement), text);
  return (text) => known(text).replace(URL_PASSWORD, replacement);
}
