import type { ProgressEvent } from '@silverlining/protocol';
import type { Context } from '../context.ts';
import { applyEvent, isLasting, type LiveView, liveLines } from './live-view.ts';
import { progressLine } from './progress-line.ts';

/** Where the progress of an operation is shown. */
export interface ProgressView {
  event(event: ProgressEvent): void;
  /** A line of `sl` itself. */
  note(line: string): void;
  /** The last state stays on the screen. */
  end(): void;
}

/** Rows that change in place when standard error is a terminal, else a line for each event. */
export function createProgressView(context: Context): ProgressView {
  const { stderr, env } = context;
  return stderr.isTTY && env.TERM !== 'dumb' ? new LiveScreen(context) : plainView(context);
}

function plainView({ stderr, globals, paintError }: Context): ProgressView {
  const write = (line: string | undefined) => line !== undefined && stderr.write(`${line}\n`);
  return {
    event: (event) => write(progressLine(event, globals.verbose, paintError)),
    note: write,
    end: () => undefined,
  };
}

const FRAME_MS = 100;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_BELOW = '\u001b[J';

class LiveScreen implements ProgressView {
  readonly #context: Context;
  readonly #timer: NodeJS.Timeout;
  #view: LiveView = new Map();
  /** Lines of the view that are on the screen now. */
  #drawn = 0;
  #frame = '';

  constructor(context: Context) {
    this.#context = context;
    this.#timer = setInterval(() => this.#draw(), FRAME_MS);
    context.stderr.write(HIDE_CURSOR);
    process.once('exit', showCursor);
  }

  event(event: ProgressEvent): void {
    this.#view = applyEvent(this.#view, event);
    if (!isLasting(event)) return;
    const line = progressLine(event, true, this.#context.paintError);
    if (line !== undefined) this.note(line);
  }

  note(line: string): void {
    this.#draw(`${line}\n`);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#draw();
    showCursor();
    process.off('exit', showCursor);
  }

  /** Goes back to the first line of the view, writes what stays above it, and the view again. */
  #draw(above = ''): void {
    const { stderr, paintError } = this.#context;
    // A terminal that nobody gave a size, `ssh -tt` in a script has one, says that it is 0 by 0.
    const size = { columns: stderr.columns || 80, rows: stderr.rows || 24 };
    const lines = liveLines(this.#view, Date.now(), size, paintError);
    const frame = lines.map((line) => `${line}\n`).join('');
    if (above === '' && frame === this.#frame) return;
    const back = this.#drawn === 0 ? '\r' : `\u001b[${this.#drawn}F`;
    stderr.write(`${back}${CLEAR_BELOW}${above}${frame}`);
    this.#frame = frame;
    this.#drawn = lines.length;
  }
}

function showCursor(): void {
  process.stderr.write(SHOW_CURSOR);
}
