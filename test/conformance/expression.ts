/**
 * The small expression language in which the cases write on-demand transforms: arithmetic,
 * comparison, `a if c else b`, `and`/`or`/`not`, calls of a few functions, strings and numbers.
 */
export type Environment = Readonly<Record<string, unknown>>;

/** Compiles an expression to a function of its variables. @throws Error naming the expression */
export function compileExpression(text: string): (variables: Environment) => unknown {
  const tokens = tokenize(text);
  const parser = new Parser(text, tokens);
  return parser.parse();
}

type Evaluate = (variables: Environment) => unknown;

const TOKEN =
  /\s*(\d+\.?\d*(?:e[+-]?\d+)?|[A-Za-z_]\w*|'[^']*'|"[^"]*"|\*\*|\/\/|[<>=!]=|[-+*/%()<>,])/gy;

const FUNCTIONS: Readonly<Record<string, (...args: never[]) => unknown>> = {
  abs: (x: number) => Math.abs(x),
  float: (x: unknown) => Number(x),
  int: (x: number) => Math.trunc(Number(x)),
  len: (x: string) => x.length,
  lower: (x: string) => x.toLowerCase(),
  max: (...xs: number[]) => Math.max(...xs),
  min: (...xs: number[]) => Math.min(...xs),
  round: roundHalfEven,
  str: (x: unknown) => String(x),
  upper: (x: string) => x.toUpperCase(),
};

/** Binary operators by precedence, loosest first. */
const LEVELS: readonly Readonly<Record<string, (a: never, b: never) => unknown>>[] = [
  {
    '<': (a: number, b: number) => a < b,
    '>': (a: number, b: number) => a > b,
    '<=': (a: number, b: number) => a <= b,
    '>=': (a: number, b: number) => a >= b,
    '==': (a: unknown, b: unknown) => a === b,
    '!=': (a: unknown, b: unknown) => a !== b,
  },
  {
    '+': (a: number, b: number) => a + b,
    '-': (a: number, b: number) => a - b,
  },
  {
    '*': (a: number, b: number) => a * b,
    '/': (a: number, b: number) => a / b,
    '//': (a: number, b: number) => Math.floor(a / b),
    '%': (a: number, b: number) => a - b * Math.floor(a / b),
  },
  { '**': (a: number, b: number) => a ** b },
];

class Parser {
  readonly #text: string;
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(text: string, tokens: readonly string[]) {
    this.#text = text;
    this.#tokens = tokens;
  }

  parse(): Evaluate {
    const evaluate = this.#conditional();
    if (this.#at !== this.#tokens.length) throw this.#unexpected();
    return evaluate;
  }

  #conditional(): Evaluate {
    const value = this.#or();
    if (!this.#take('if')) return value;
    const condition = this.#or();
    this.#expect('else');
    const otherwise = this.#conditional();
    return (v) => (condition(v) ? value(v) : otherwise(v));
  }

  #or(): Evaluate {
    const left = this.#and();
    if (!this.#take('or')) return left;
    const right = this.#or();
    return (v) => left(v) || right(v);
  }

  #and(): Evaluate {
    const left = this.#not();
    if (!this.#take('and')) return left;
    const right = this.#and();
    return (v) => left(v) && right(v);
  }

  #not(): Evaluate {
    if (!this.#take('not')) return this.#binary(0);
    const operand = this.#not();
    return (v) => !operand(v);
  }

  #binary(level: number): Evaluate {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = this.#tokens[this.#at];
      if (operator === undefined || !Object.hasOwn(operators, operator)) return left;
      this.#at++;
      const apply = operators[operator] as (a: unknown, b: unknown) => unknown;
      const [before, right] = [left, this.#binary(level + 1)];
      left = (v) => apply(number(before(v)), number(right(v)));
    }
  }

  #unary(): Evaluate {
    if (!this.#take('-')) return this.#primary();
    const operand = this.#unary();
    return (v) => -(number(operand(v)) as number);
  }

  #primary(): Evaluate {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw this.#unexpected();
    if (token === '(') {
      const inner = this.#conditional();
      this.#expect(')');
      return inner;
    }
    if (/^\d/.test(token)) return () => Number(token);
    if (/^['"]/.test(token)) return () => token.slice(1, -1);
    if (token === 'True' || token === 'False') return () => token === 'True';
    if (token === 'None') return () => null;
    if (!/^[A-Za-z_]/.test(token)) throw this.#unexpected();
    return this.#take('(') ? this.#call(token) : (v) => v[token] ?? null;
  }

  #call(name: string): Evaluate {
    const apply = FUNCTIONS[name] as ((...args: unknown[]) => unknown) | undefined;
    if (apply === undefined) throw new Error(`unknown function ${name} in "${this.#text}"`);
    const args: Evaluate[] = [];
    while (!this.#take(')')) {
      args.push(this.#conditional());
      this.#take(',');
    }
    return (v) => apply(...args.map((arg) => number(arg(v))));
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw this.#unexpected();
  }

  #unexpected(): Error {
    return new Error(`unexpected ${this.#tokens[this.#at] ?? 'end'} in "${this.#text}"`);
  }
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) {
    tokens.push(match[1] as string);
    if (TOKEN.lastIndex === text.trimEnd().length) return tokens;
  }
  throw new Error(`cannot read "${text}"`);
}

/** Whole numbers of 64 bits take part in arithmetic as numbers, as in the cases. */
function number(value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}

function roundHalfEven(x: number, digits = 0): number {
  const scale = 10 ** digits;
  const floor = Math.floor(x * scale);
  const rest = x * scale - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0);
  return (floor + (up ? 1 : 0)) / scale;
}
