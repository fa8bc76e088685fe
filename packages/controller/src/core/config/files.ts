/** A file as it was found; `unusable` says why, in words that follow the file's name. */
export type FileRead = { kind: 'text'; text: string } | { kind: 'missing' } | { kind: 'unusable'; why: string };

/** What reading a server set needs of the world; `io/config-files.ts` is the real one. Paths are absolute. */
export interface ConfigFiles {
  /** Text of a regular file, decoded strictly as UTF-8 and limited in size. */
  readFile(path: string): FileRead;
  kindOf(path: string): 'file' | 'directory' | undefined;
}

/** Largest file that is read: far above any server set, far below what would hurt. */
export const MAX_CONFIG_BYTES = 1 << 20;
