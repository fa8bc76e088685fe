/** What is waited for as long as it gets on. */
export interface Patience {
  /** Aborted by the caller's signal, or when nothing has moved for too long. */
  signal: AbortSignal;
  moved(): void;
  /** To be called in the end. */
  stop(): void;
}

/** `longest`: milliseconds without a move. */
export function startPatience(signal: AbortSignal, longest: number): Patience {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), longest);
  return {
    signal: AbortSignal.any([signal, over.signal]),
    moved: () => void timer.refresh(),
    stop: () => clearTimeout(timer),
  };
}
