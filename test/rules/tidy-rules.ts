/**
 * What the linter cannot say about source text: how long things may be, and which calls belong to
 * one place. Parses only; types are not needed.
 */
import ts from 'typescript';
import type { TextFile } from './repository.ts';

export const FILE_LINES_MAX = 500;
export const FUNCTION_LINES_MAX = 70;

/** What only the files of `places` may say. */
export interface Ban {
  readonly what: string;
  /**
   * Matches one mention: a call as `name(…)` or `name()`, a construction as `new Name()`, a
   * property as `object.name`, an import as `import module`.
   */
  readonly mention: RegExp;
  /** Files, or folders that end in a slash. */
  readonly places: readonly string[];
}

/** Everything wrong with one file, as sentences that begin with its path and line. */
export function tidyFaults(file: TextFile, bans: readonly Ban[]): string[] {
  const faults: string[] = [];
  const lines = file.text.replace(/\n$/, '').split('\n').length;
  if (lines > FILE_LINES_MAX) faults.push(`${file.path}: ${lines} lines`);

  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.ES2023, true);
  const report = (node: ts.Node, what: string): void => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    faults.push(`${file.path}:${line + 1}: ${what}`);
  };
  const visit = (node: ts.Node): void => {
    if (isProduct(file.path) && isFunction(node)) {
      const length = lineCount(source, node);
      if (length > FUNCTION_LINES_MAX) report(node, `function of ${length} lines`);
    }
    const mention = mentionOf(node, source);
    const ban = mention && bans.find((candidate) => candidate.mention.test(mention));
    if (ban && !isPlace(ban, file.path)) report(node, `${ban.what} outside its place`);
    if (isDefaultExport(node) && !file.path.endsWith('.config.ts')) report(node, 'default export');
    ts.forEachChild(node, visit);
  };
  visit(source);

  return faults;
}

/** Lines with a word that puts work off. */
export function leftoversOf(text: string): string[] {
  return text.split('\n').filter((line) => LEFTOVER.test(line));
}

/** The titles of a Markdown file; code blocks do not count. */
export function titlesOf(markdown: string): string[] {
  return proseLines(markdown).filter((line) => /^# /.test(line));
}

/** Targets of links and images that are not addresses. */
export function relativeLinksOf(markdown: string): string[] {
  const text = proseLines(markdown)
    .join('\n')
    .replace(/`[^`\n]*`/g, '');
  const links = [...text.matchAll(/!?\[[^\]]*\]\(([^)\s]+)[^)]*\)/g)].map((match) => match[1]!);
  const sources = [...text.matchAll(/(?:src|srcset|href)="([^"]+)"/g)].map((match) => match[1]!);
  return [...links, ...sources].filter((target) => !/^[a-z]+:/i.test(target));
}

/** Anchors that a Markdown file offers, as GitHub makes them from its headings. */
export function anchorsOf(markdown: string): string[] {
  return proseLines(markdown)
    .filter((line) => /^#{1,6} /.test(line))
    .map((line) =>
      line
        .replace(/^#+ /, '')
        .trim()
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    );
}

/** Paths that exist on one machine alone. */
export function machinePathsOf(text: string): string[] {
  return text.match(MACHINE_PATH) ?? [];
}

const LEFTOVER = /\b(TODO|FIXME|XXX)\b/;
const MACHINE_PATH = /(?<![\w./$}-])\/(?:work|root|tmp|home\/\w+|Users\/\w+)\/[\w.-]+/g;

function isProduct(path: string): boolean {
  return /^(src|connectors|console|examples|benchmarks|scripts)\//.test(path);
}

function isFunction(node: ts.Node): boolean {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isFunctionExpression(node) ||
    ts.isArrowFunction(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isConstructorDeclaration(node) ||
    ts.isAccessor(node)
  );
}

function lineCount(source: ts.SourceFile, node: ts.Node): number {
  const first = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
  return source.getLineAndCharacterOfPosition(node.getEnd()).line - first + 1;
}

function mentionOf(node: ts.Node, source: ts.SourceFile): string | null {
  if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
    const made = ts.isNewExpression(node) ? 'new ' : '';
    const given = (node.arguments?.length ?? 0) === 0 ? '()' : '(…)';
    return made + node.expression.getText(source) + given;
  }
  if (ts.isPropertyAccessExpression(node)) return node.getText(source);
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    return `import ${node.moduleSpecifier.text}`;
  }
  return null;
}

function isPlace(ban: Ban, path: string): boolean {
  return ban.places.some((place) =>
    place.endsWith('/') ? path.startsWith(place) : path === place,
  );
}

function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true;
  const modifiers = ts.canHaveModifiers(node) ? ts.getModifiers(node) : undefined;
  return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword) ?? false;
}

function proseLines(markdown: string): string[] {
  let code = false;
  return markdown.split('\n').filter((line) => {
    if (/^\s*(```|~~~)/.test(line)) {
      code = !code;
      return false;
    }
    return !code;
  });
}
