import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

describe('the public API', () => {
  const exported = exportedNames(join(ROOT, 'src/index.ts'));

  it('is the list of test/public-api.txt: a change of either is meant (`vitest -u` rewrites it)', async () => {
    expect(exported).not.toEqual([]);
    await expect(`${exported.join('\n')}\n`).toMatchFileSnapshot('public-api.txt');
  });

  it('exports by name, never a folder as a whole', () => {
    expect(exported.filter((name) => name.includes('*'))).toEqual([]);
  });
});

/** `value name` and `type name` for every export, in alphabetical order. */
function exportedNames(file: string): string[] {
  const text = ts.sys.readFile(file) ?? '';
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023);
  const names: string[] = [];
  for (const statement of source.statements) {
    if (!ts.isExportDeclaration(statement)) {
      names.push(`* ${ts.SyntaxKind[statement.kind]}`);
      continue;
    }
    const { exportClause } = statement;
    if (exportClause === undefined || !ts.isNamedExports(exportClause)) {
      names.push(`* ${statement.moduleSpecifier?.getText(source)}`);
      continue;
    }
    for (const element of exportClause.elements) {
      const isType = statement.isTypeOnly || element.isTypeOnly;
      names.push(`${isType ? 'type' : 'value'} ${element.name.text}`);
    }
  }
  return names.sort();
}
