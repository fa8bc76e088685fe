/**
 * The store's tables, as the steps that lead from each version to the next. A store's version is SQLite's
 * `user_version`: the number of steps it has been through. Steps are added, never changed.
 */
export const UPGRADES: readonly string[] = [
  `
  CREATE TABLE sets (
    name TEXT PRIMARY KEY,
    config TEXT NOT NULL,
    topology TEXT,
    active TEXT NOT NULL
  ) STRICT;

  -- Outlives its set: a set made again under the name goes on where the old one stopped, so that what still runs of
  -- the old one (an agent, a controller with an old token) stays fenced off.
  CREATE TABLE fences (
    set_name TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL DEFAULT 0,
    token INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  -- Without a reference to sets: the first lease of a set is taken before its row is written.
  CREATE TABLE leases (
    set_name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    operation TEXT NOT NULL,
    since REAL NOT NULL,
    token INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE nodes (
    uuid TEXT PRIMARY KEY,
    set_name TEXT NOT NULL REFERENCES sets (name) ON DELETE CASCADE,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    provider_id TEXT,
    address TEXT,
    state TEXT NOT NULL CHECK (state IN ('planned', 'created', 'enrolled')),
    key_hash TEXT,
    cert_generation INTEGER NOT NULL,
    host_keys TEXT NOT NULL,
    last_seen REAL,
    facts TEXT
  ) STRICT;
  CREATE INDEX nodes_by_set ON nodes (set_name);

  -- Large, and shared by releases of equal content.
  CREATE TABLE manifests (
    digest TEXT PRIMARY KEY,
    body TEXT NOT NULL
  ) STRICT;

  CREATE TABLE releases (
    set_name TEXT NOT NULL REFERENCES sets (name) ON DELETE CASCADE,
    instance TEXT NOT NULL,
    app TEXT NOT NULL,
    digest TEXT NOT NULL REFERENCES manifests (digest),
    spec TEXT NOT NULL,
    config TEXT NOT NULL,
    created_at REAL NOT NULL,
    committed_at REAL,
    PRIMARY KEY (set_name, instance)
  ) STRICT;
  CREATE INDEX releases_by_digest ON releases (digest);

  CREATE TABLE deploys (
    id TEXT PRIMARY KEY,
    set_name TEXT NOT NULL REFERENCES sets (name) ON DELETE CASCADE,
    app TEXT NOT NULL,
    instance TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('staging', 'committed', 'ended')),
    record TEXT NOT NULL,
    started_at REAL NOT NULL
  ) STRICT;
  CREATE INDEX deploys_by_set ON deploys (set_name, started_at);

  CREATE TABLE secrets (
    set_name TEXT NOT NULL REFERENCES sets (name) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (set_name, name)
  ) STRICT;
  `,
  `
  -- The highest epoch that an agent of the set has been heard to have; commits go on above it.
  ALTER TABLE fences ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;
  -- Whether epoch is that of a commit, and not only where the first one goes on from.
  ALTER TABLE fences ADD COLUMN committed INTEGER NOT NULL DEFAULT 0;
  UPDATE fences SET committed = 1 WHERE epoch > 0;
  `,
  `
  -- Signs of life of the controller that holds a lease.
  ALTER TABLE leases ADD COLUMN beats INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- Long where there are many nodes, and the last column: who reads a row without it reads no page of it.
  ALTER TABLE deploys ADD COLUMN timeline TEXT;
  UPDATE deploys SET timeline = json_extract(record, '$.timeline'), record = json_remove(record, '$.timeline');
  `,
  `
  -- Where its agent was told that the controller is.
  ALTER TABLE nodes ADD COLUMN told TEXT;
  `,
  `
  -- The text of which the digest is. Those that are there stay as they are: JSON in their body, which others leave empty.
  ALTER TABLE manifests ADD COLUMN text BLOB;
  `,
];
