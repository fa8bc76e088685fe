/**
 * What stands in `{{...}}`: a reference, number or "text", `+`, `-`, `*` and parentheses over whole numbers, and filters:
 * `n | pad 2`, `n | add 100`. Evaluated while it is parsed; there is no code to run, so nothing can be injected.
 */
import { quote } from './problem.ts';

export type Scalar = string | number;
type Filter = (input: Scalar, argument: Scalar | undefined) => Scalar;
type Token = { kind: 'number' | 'text' | 'reference' | 'sign'; value: string };

/** What is wrong with an expression or a reference; its message is for the user. */
export class ExpressionError extends Error {}

const MAX_PAD = 20;
/** Far more than a name needs, and too little to nest parentheses until the stack is full. */
const MAX_LENGTH = 500;
const FILTERS = new Map<string, Filter>([
  ['pad', (input, width) => String(input).padStart(Math.min(toNumber(width, 'the width of pad'), MAX_PAD), '0')],
  ['add', (input, other) => toNumber(input) + toNumber(other, 'what add takes')],
  ['sub', (input, other) => toNumber(input) - toNumber(other, 'what sub takes')],
  ['lower', (input) => String(input).toLowerCase()],
  ['upper', (input) => String(input).toUpperCase()],
]);

/** The value of an expression; `lookUp` gives that of a reference such as `n` or `general.base_domain`. */
export function evaluate(source: string, lookUp: (name: string) => Scalar): Scalar {
  if (source.length > MAX_LENGTH) throw new ExpressionError(`an expression is longer than ${MAX_LENGTH} characters`);
  return new Parser(tokenise(source), lookUp).all(source);
}

class Parser {
  readonly #tokens: Token[];
  readonly #lookUp: (name: string) => Scalar;

  constructor(tokens: Token[], lookUp: (name: string) => Scalar) {
    this.#tokens = tokens;
    this.#lookUp = lookUp;
  }

  all(source: string): Scalar {
    let value = this.#sum();
    while (this.#takeSign('|') !== undefined) value = this.#filter(value);
    const rest = this.#tokens[0];
    if (rest !== undefined) throw new ExpressionError(`{{${source}}}: unexpected ${quote(rest.value)}`);
    return value;
  }

  #filter(input: Scalar): Scalar {
    const name = this.#tokens.shift()?.value ?? '';
    const filter = FILTERS.get(name);
    if (filter === undefined)
      throw new ExpressionError(`unknown filter ${quote(name)}; there are: ${[...FILTERS.keys()].join(', ')}`);
    const next = this.#tokens[0];
    const hasArgument = next !== undefined && (next.kind !== 'sign' || next.value === '(');
    return filter(input, hasArgument ? this.#term() : undefined);
  }

  #sum(): Scalar {
    let left = this.#product();
    for (;;) {
      const sign = this.#takeSign('+', '-');
      if (sign === undefined) return left;
      const right = toNumber(this.#product());
      left = checked(sign === '+' ? toNumber(left) + right : toNumber(left) - right);
    }
  }

  #product(): Scalar {
    let left = this.#term();
    while (this.#takeSign('*') !== undefined) left = checked(toNumber(left) * toNumber(this.#term()));
    return left;
  }

  #term(): Scalar {
    const token = this.#tokens.shift();
    if (token?.kind === 'number') return checked(Number(token.value));
    if (token?.kind === 'text') return token.value;
    if (token?.kind === 'reference') return this.#lookUp(token.value);
    if (token?.value !== '(')
      throw new ExpressionError(`expected a name or a number, found ${quote(token?.value ?? '')}`);
    const value = this.#sum();
    if (this.#takeSign(')') === undefined) throw new ExpressionError('a parenthesis is not closed');
    return value;
  }

  #takeSign(...signs: string[]): string | undefined {
    const token = this.#tokens[0];
    if (token?.kind !== 'sign' || !signs.includes(token.value)) return undefined;
    this.#tokens.shift();
    return token.value;
  }
}

function tokenise(source: string): Token[] {
  const tokens: Token[] = [];
  // Names of sections hold colons, dots and hyphens, so a minus needs blanks around it.
  const pattern = /\s*(?:(\d+)|([A-Za-z_][\w.:-]*)|"((?:[^"\\]|\\.)*)"|([+*|()-]))/sy;
  const end = source.trimEnd().length;
  while (pattern.lastIndex < end) {
    const from = pattern.lastIndex;
    const [, number, reference, text, sign] = pattern.exec(source) ?? [];
    if (number !== undefined) tokens.push({ kind: 'number', value: number });
    else if (reference !== undefined) tokens.push({ kind: 'reference', value: reference });
    else if (text !== undefined) tokens.push({ kind: 'text', value: text.replace(/\\(.)/gs, '$1') });
    else if (sign !== undefined) tokens.push({ kind: 'sign', value: sign });
    else throw new ExpressionError(`{{${source}}}: cannot read ${quote(source.slice(from).trim())}`);
  }
  return tokens;
}

function toNumber(value: Scalar | undefined, what = quote(String(value))): number {
  if (typeof value === 'number') return value;
  if (value === undefined || !/^-?\d{1,15}$/.test(value)) throw new ExpressionError(`${what} must be a whole number`);
  return Number(value);
}

function checked(value: number): number {
  if (!Number.isSafeInteger(value)) throw new ExpressionError('a number is too large');
  return value;
}
