/**
 * Turns `architecture.json` into rules of dependency-cruiser. Whatever the file does not allow is
 * an error; the name of a rule says what was broken.
 */
import type { IForbiddenRuleType, IReporterOutput } from 'dependency-cruiser';
import { cruise } from 'dependency-cruiser';

export interface Architecture {
  /** Folders of modules, each with the folders it may import; `src/*` stands for all of src. */
  readonly folders: Readonly<Record<string, readonly string[]>>;
  /** Folders whose files are imported directly; all others are entered through their index.ts. */
  readonly openFolders: readonly string[];
  /** Files that everything may import and that import nothing. */
  readonly openFiles: readonly string[];
  /** Files that may import every folder of src and that only programs import. */
  readonly publicFiles: readonly string[];
  /** The only files of src that may import connectors. */
  readonly compositionFiles: readonly string[];
  /** Folders without I/O: of Node's own modules they may import `pureBuiltins` alone. */
  readonly pureFolders: readonly string[];
  readonly pureBuiltins: readonly string[];
  /** Third-party packages, each with the folders that may import it. */
  readonly packageOwners: Readonly<Record<string, readonly string[]>>;
  /** Packages that are loaded only where they are installed. */
  readonly optionalPackages: readonly string[];
  /** With fewer modules than this the check itself is broken. */
  readonly modulesMin: number;
}

export interface Violation {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
}

const PRODUCT = '^(src|connectors|console)/';
const PROGRAMS = '^(test|examples|benchmarks|scripts|templates)/';

/** Reads the imports below `baseDir` and compares them with the rules. */
export async function checkArchitecture(
  architecture: Architecture,
  baseDir: string,
): Promise<{ readonly modules: string[]; readonly violations: Violation[] }> {
  const output: IReporterOutput = await cruise(topFolders(architecture), {
    baseDir,
    ruleSet: { forbidden: architectureRules(architecture) },
    validate: true,
    // Imports of types count too: they are dependencies of whoever reads the code.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    combinedDependencies: true,
  });
  if (typeof output.output === 'string') throw new Error(output.output);
  const { modules, summary } = output.output;
  return {
    modules: modules
      .map(({ source }) => source)
      .filter((path) => RegExp(PRODUCT).test(path) && /\.tsx?$/.test(path)),
    violations: summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to })),
  };
}

function topFolders({ folders }: Architecture): string[] {
  return [...new Set(Object.keys(folders).map((folder) => folder.split('/')[0] as string))];
}

function architectureRules(architecture: Architecture): IForbiddenRuleType[] {
  return [
    ...Object.keys(architecture.folders).flatMap((folder) => [
      allowedRule(architecture, folder),
      doorRule(architecture, folder),
    ]),
    ...Object.entries(architecture.packageOwners).map(([name, owners]) => ownerRule(name, owners)),
    unownedRule(architecture),
    pureRule(architecture),
    openFilesRule(architecture),
    {
      name: 'import cycle',
      severity: 'error',
      from: { path: PRODUCT },
      // A cycle of types alone is gone when the code runs, and can only be inside one folder.
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'program imported by the product',
      severity: 'error',
      from: { path: PRODUCT },
      to: { path: PROGRAMS },
    },
    {
      name: 'import that leads nowhere',
      severity: 'error',
      from: { path: PRODUCT },
      to: { couldNotResolve: true, pathNot: architecture.optionalPackages.map(inPackage) },
    },
  ];
}

/** A folder that is listed by nobody is a folder that nobody has placed. */
export function unplacedModules(architecture: Architecture, modules: readonly string[]): string[] {
  const files = [...architecture.openFiles, ...architecture.publicFiles];
  const folders = Object.keys(architecture.folders);
  return modules.filter(
    (path) => !files.includes(path) && !folders.some((folder) => path.startsWith(`${folder}/`)),
  );
}

/** Folders that the table itself puts in a circle; empty when it is in order. */
export function circularFolders(architecture: Architecture): string[] {
  const done = new Set<string>();
  let left = Object.keys(architecture.folders);
  for (let before = -1; before !== left.length; ) {
    before = left.length;
    left = left.filter((folder) => {
      const ready = allowedFolders(architecture, folder).every((other) => done.has(other));
      if (ready) done.add(folder);
      return !ready;
    });
  }
  return left;
}

function allowedFolders(architecture: Architecture, folder: string): string[] {
  const allowed = architecture.folders[folder] ?? [];
  if (!allowed.includes('src/*')) return [...allowed];
  return Object.keys(architecture.folders).filter((f) => f.startsWith('src/') && f !== folder);
}

function allowedRule(architecture: Architecture, folder: string): IForbiddenRuleType {
  const allowed = [folder, ...allowedFolders(architecture, folder)];
  return {
    name: `${folder}: folder that it may not import`,
    severity: 'error',
    from: { path: inside(folder), pathNot: architecture.compositionFiles.map(exactly) },
    to: {
      path: PRODUCT,
      pathNot: [...allowed.map(inside), ...architecture.openFiles.map(exactly)],
    },
  };
}

function doorRule(architecture: Architecture, folder: string): IForbiddenRuleType {
  const open = architecture.openFolders.includes(folder);
  return {
    name: `${folder}: imported beside its index.ts`,
    severity: 'error',
    from: { path: PRODUCT, pathNot: inside(folder) },
    to: { path: inside(folder), pathNot: open ? '.' : exactly(`${folder}/index.ts`) },
  };
}

function ownerRule(name: string, owners: readonly string[]): IForbiddenRuleType {
  return {
    name: `${name}: package of another folder`,
    severity: 'error',
    from: { path: PRODUCT, pathNot: owners.map(inside) },
    to: { path: inPackage(name) },
  };
}

function unownedRule(architecture: Architecture): IForbiddenRuleType {
  return {
    name: 'package that no folder owns',
    severity: 'error',
    from: { path: PRODUCT },
    to: {
      path: 'node_modules/',
      pathNot: Object.keys(architecture.packageOwners).map(inPackage),
    },
  };
}

function pureRule(architecture: Architecture): IForbiddenRuleType {
  return {
    name: 'Node module in a folder without I/O',
    severity: 'error',
    from: { path: architecture.pureFolders.map(inside) },
    to: {
      dependencyTypes: ['core'],
      pathNot: architecture.pureBuiltins.map((name) => `^(node:)?${literal(name)}$`),
    },
  };
}

function openFilesRule(architecture: Architecture): IForbiddenRuleType {
  return {
    name: 'import in a file that imports nothing',
    severity: 'error',
    from: { path: architecture.openFiles.map(exactly) },
    to: { path: '.' },
  };
}

function inside(folder: string): string {
  return `^${literal(folder)}/`;
}

function exactly(file: string): string {
  return `^${literal(file)}$`;
}

function inPackage(name: string): string {
  // A package that is not installed keeps its bare name.
  return `(^|node_modules/)(@types/)?${literal(name)}(/|$)`;
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
