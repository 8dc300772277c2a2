import { describe, expect, it } from 'vitest';
import { mirrorFaults } from './mirror.ts';

const code = `export function f(): void {}\n${'// why\n'.repeat(60)}`;
const file = (path: string, text = code) => ({ path, text });

describe('the mirror of tests', () => {
  it('asks for the test of each longer file', () => {
    expect(mirrorFaults([file('src/a/b.ts')], [])).toEqual(['src/a/b.ts has no test/a/b.test.ts']);
    expect(mirrorFaults([file('src/a/b.ts'), file('test/a/b.test.ts')], [])).toEqual([]);
    expect(mirrorFaults([file('connectors/a/b.ts'), file('test/a/b.test.ts')], [])).toEqual([]);
  });

  it('asks for none for short files, types, indexes and tests', () => {
    const types = code.replace('function f(): void {}', 'interface F {}');
    const files = [file('src/a/b.ts', 'export const a = 1;'), file('src/a/c.ts', types)];
    expect(mirrorFaults([...files, file('src/a/index.ts'), file('test/a/d.test.ts')], [])).toEqual(
      [],
    );
  });

  it('lets one test cover several files, as long as all of them are there', () => {
    const shared = [{ test: 'test/a.test.ts', covers: ['src/a/b.ts'], because: 'one flow' }];
    const files = [file('test/a.test.ts'), file('src/a/b.ts')];
    expect(mirrorFaults(files, shared)).toEqual([]);
    expect(mirrorFaults([file('src/a/b.ts')], shared)).toEqual([
      'test/a.test.ts is gone: mend the list',
    ]);
    expect(mirrorFaults([file('test/a.test.ts')], shared)).toEqual([
      'src/a/b.ts is gone: mend the list',
    ]);
    const folder = [{ test: 'test/a.test.ts', covers: ['src/a/'], because: 'one table' }];
    expect(mirrorFaults([...files, file('test/a/b.test.ts')], folder)).toEqual([]);
    expect(mirrorFaults([...files, file('src/b/a.ts')], folder)).toEqual([
      'src/b/a.ts has no test/b/a.test.ts',
    ]);
    expect(mirrorFaults([...files, file('test/a/b.test.ts')], shared)).toEqual([
      'src/a/b.ts needs no place in the list',
    ]);
  });
});
