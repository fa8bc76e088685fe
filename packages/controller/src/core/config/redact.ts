/** Shorter texts are too likely to be part of something else that happens to be written the same. */
const SHORTEST = 6;

/** A function that replaces every secret in a text, longest first. */
export function createRedactor(secrets: readonly string[], replacement: string): (text: string) => string {
  const hidden = [...new Set(secrets)].filter((it) => it.length >= SHORTEST).sort((a, b) => b.length - a.length);
  return (text) => hidden.reduce((result, secret) => result.replaceAll(secret, replacement), text);
}
