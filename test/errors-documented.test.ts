import { describe, expect, it } from 'vitest';
import { ERROR_TABLE, type ErrorCode } from '../src/errors.ts';
import { ERROR_DOC_LABELS, parseErrorDocs } from './rules/error-docs.ts';
import { read, readProduct } from './rules/repository.ts';

const CODES = Object.keys(ERROR_TABLE) as ErrorCode[];

describe('docs/errors.md', async () => {
  const docs = parseErrorDocs(await read('docs/errors.md'));

  it('explains exactly the codes of src/errors.ts, in their order', () => {
    expect(docs.map(({ code }) => code)).toEqual(CODES);
  });

  it('says of each code what it means, why it comes and what to do', () => {
    const faults = docs.flatMap(({ code, texts }) =>
      ERROR_DOC_LABELS.filter((label) => (texts[label]?.length ?? 0) < 15).map(
        (label) => `${code}: ${label}`,
      ),
    );
    expect(faults).toEqual([]);
  });

  it('says whom each error affects and whether trying again can help', () => {
    const said = docs.map(({ code, scope, retriable }) => ({ code, scope, retriable }));
    const true_ = CODES.map((code) => {
      const { scope, retriable } = ERROR_TABLE[code];
      return { code, scope, retriable };
    });
    expect(said).toEqual(true_);
  });
});

describe('src/errors.ts', async () => {
  const files = (await readProduct()).filter(({ path }) => path !== 'src/errors.ts');
  const code = files.map(({ text }) => text).join('\n');

  it('has no code that nothing raises', () => {
    const unused = CODES.filter((name) => !code.includes(`'${name}'`));
    expect(unused).toEqual([]);
  });

  it('advises whole sentences', () => {
    const faults = CODES.filter((name) => !/^[A-Z`].*[.]$/.test(ERROR_TABLE[name].next));
    expect(faults).toEqual([]);
  });
});

describe('the parser of error docs', () => {
  it('finds the parts of a section', () => {
    const markdown = `# Errors\n\n## Rows\n\n### ROW_EMPTY\n\n*row, not retriable*\n
**Meaning.** A record\nwithout a value.\n\n**Cause.** It was a tombstone.\n\n**What to do.** Nothing.\n
## Log\n\n### LOG_LOCKED\n\n*process, retriable*\n`;
    expect(parseErrorDocs(markdown)).toEqual([
      {
        code: 'ROW_EMPTY',
        scope: 'row',
        retriable: false,
        texts: {
          Meaning: 'A record\nwithout a value.',
          Cause: 'It was a tombstone.',
          'What to do': 'Nothing.',
        },
      },
      { code: 'LOG_LOCKED', scope: 'process', retriable: true, texts: {} },
    ]);
  });
});
