/** The figures of the agent server; tests give shorter ones. Times are milliseconds. */
export interface AgentServerSettings {
  /** From a connection to its hello. */
  hello: number;
  /** Between pings, give or take a fifth. */
  ping: number;
  /** Without a frame or pong until an agent counts as gone. */
  silence: number;
  /** Connections of whom is not known yet who they are. */
  strangers: number;
  /** Control connections admitted in a second, and at once after a pause. */
  connectionsPerSecond: number;
  /** Frames that are no messages until the session is closed. */
  badFrames: number;
  /** Bytes that an agent may leave unread. */
  maxBuffered: number;
  /** Replacements of a live connection in a minute that one agent can be the cause of. */
  replacements: number;
  /** For how long two agents with one identity are held back. */
  hold: number;
  /** At least this long between two times of contact written for a node. */
  touch: number;
}

export const SETTINGS: AgentServerSettings = {
  hello: 10_000,
  ping: 10_000,
  silence: 25_000,
  strangers: 1_024,
  // A connection that is refused has cost its handshake, the greater part, and comes again: a low figure here makes a
  // fleet's return slower and costlier.
  connectionsPerSecond: 500,
  badFrames: 20,
  maxBuffered: 8 << 20,
  replacements: 5,
  hold: 300_000,
  touch: 15_000,
};

/** Close codes of control sockets, from the range that is left to applications. */
export const CLOSE = {
  badFrames: 4400,
  revoked: 4401,
  noHello: 4408,
  replaced: 4409,
  version: 4426,
  /** RFC 6455: the server is going down. */
  goingAway: 1001,
} as const;
