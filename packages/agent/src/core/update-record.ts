/** The durable record of an agent that replaced itself, and what each start makes of it. */
export interface UpdateRecord {
  /** Digests of the bundles. */
  previous: string;
  next: string;
  /** Times that the new bundle was started without having been welcomed. */
  starts: number;
  /** Times that the agent crashed since, also without having come as far as to count its start. */
  crashes?: number | undefined;
  /** Tells it from other updates to the same bundle. */
  id?: string | undefined;
  /** What else it replaced: the digest of the runtime, and the text of the unit file. */
  before?: { runtime?: string | undefined; unit?: string | undefined } | undefined;
}

/** A new bundle that has ended this often before its minute is over is taken back at once. */
const CHANCES = 3;

export type StartDecision =
  /** No update is under way, or this is the old bundle again. */
  | { action: 'nothing' }
  /** This is the new bundle: it has to be welcomed within a minute. */
  | { action: 'prove'; record: UpdateRecord }
  /** It had its chances: the old one is to come back. */
  | { action: 'leave' };

/** What the bundle `running` does at its start, and the record to keep while it has to prove itself. */
export function decideStart(record: UpdateRecord | undefined, running: string): StartDecision {
  if (record === undefined || record.next !== running) return { action: 'nothing' };
  if (record.starts >= CHANCES) return { action: 'leave' };
  return { action: 'prove', record: { ...record, starts: record.starts + 1 } };
}

/** What the bundle before makes of a crash of the new one: the record to keep; undefined where that had its chances. */
export function afterCrash(record: UpdateRecord): UpdateRecord | undefined {
  const crashes = (record.crashes ?? 0) + 1;
  return crashes >= CHANCES ? undefined : { ...record, crashes };
}
