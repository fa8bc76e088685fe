/**
 * Ends a failed run with its failures, short enough for the last screen of a CI: of each what was expected and what the
 * controller logged until then. Nobody can ask for more later, for the nodes and their state are gone with the run.
 */
import { stripVTControlCharacters } from 'node:util';
import type { Reporter, SerializedError, TestCase, TestModule, TestSuite } from 'vitest/node';
import { daemonLogPath, lastLogLines } from '../../../packages/controller/src/client/daemon-log.ts';
import { findDirectories } from '../../../packages/controller/src/io/directories.ts';

/** Failures that are told in full; what follows is often their consequence. */
const IN_FULL = 3;
const ERROR_CHARS = 1200;
const LOG_LINES = 12;
const LINE_CHARS = 200;

interface Failure {
  name: string;
  errors: readonly SerializedError[];
  log: string[];
}

export default class FailureReporter implements Reporter {
  readonly #failures: Failure[] = [];

  onTestCaseResult(test: TestCase): void {
    this.#note(`${test.module.relativeModuleId} > ${test.fullName}`, test.result().errors ?? []);
  }

  onTestSuiteResult(suite: TestSuite): void {
    this.#note(`${suite.module.relativeModuleId} > ${suite.fullName}`, suite.errors());
  }

  onTestModuleEnd(module: TestModule): void {
    this.#note(module.relativeModuleId, module.errors());
  }

  onTestRunEnd(_modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    this.#note('outside of the tests', unhandled);
    if (this.#failures.length === 0) return;
    process.stdout.write(`\nWhat failed, the first of it last:\n`);
    const told = this.#failures.map((it, i) => (i < IN_FULL ? full(it) : `${it.name}: ${text(it, LINE_CHARS)}`));
    process.stdout.write(`${told.reverse().join('\n\n')}\n`);
  }

  #note(name: string, errors: readonly SerializedError[]): void {
    if (errors.length === 0) return;
    const { lines } = lastLogLines(daemonLogPath(findDirectories().state), LOG_LINES);
    this.#failures.push({ name, errors, log: lines.map((line) => line.slice(0, LINE_CHARS)) });
  }
}

function full(failure: Failure): string {
  const places = failure.errors.flatMap((it) => /at .*e2e\/.*/.exec(it.stack ?? '')?.[0] ?? []);
  return [`FAILED ${failure.name}`, text(failure, ERROR_CHARS), ...places, ...failure.log.map((it) => `| ${it}`)].join(
    '\n',
  );
}

/** The errors with what they compared; of a long one its two ends. */
function text({ errors }: Failure, limit: number): string {
  const whole = stripVTControlCharacters(errors.map((it) => [it.message, it.diff ?? ''].join('\n')).join('\n')).trim();
  if (whole.length <= limit) return whole;
  const half = Math.floor(limit / 2);
  return `${whole.slice(0, half)}\n[...]\n${whole.slice(-half)}`;
}
