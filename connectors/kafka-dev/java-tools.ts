import { spawn } from 'node:child_process';
import { access, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { FreshetError } from '../../src/errors.ts';
import { KAFKA_VERSION, kafkaPom } from './kafka-pom.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What a command wrote and how it ended; null where the command could not be started. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly output: string;
}

const APICURIO = 'io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all';
const DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';

/** Where downloads of development tools are kept: FRESHET_CACHE, else the user's cache folder. */
export function cacheFolder(env: Environment): string {
  if (env['FRESHET_CACHE']) return env['FRESHET_CACHE'];
  return join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'freshet');
}

/**
 * A Java of at least this version: the one of JAVA_HOME, else of the path, else one that is
 * installed beside them; null when there is none.
 */
export async function findJava(env: Environment, versionMin: number): Promise<string | null> {
  const home = env['JAVA_HOME'];
  const first = home ? [join(home, 'bin', 'java'), 'java'] : ['java'];
  for (const java of [...first, ...(await installedJavas())]) {
    const { exitCode, output } = await runCommand(java, ['-version']);
    const version = Number(/version "(\d+)/.exec(output)?.[1]);
    if (exitCode === 0 && version >= versionMin) return java;
  }
  return null;
}

/** Where Linux distributions and macOS put them, newest name last. */
const JAVA_FOLDERS = [
  { folder: '/usr/lib/jvm', java: 'bin/java' },
  { folder: '/Library/Java/JavaVirtualMachines', java: 'Contents/Home/bin/java' },
];

async function installedJavas(): Promise<string[]> {
  const found = await Promise.all(
    JAVA_FOLDERS.map(async ({ folder, java }) => {
      const names = await readdir(folder).catch(() => []);
      return names.sort().map((name) => join(folder, name, java));
    }),
  );
  const isThere = await Promise.all(found.flat().map(exists));
  return found.flat().filter((_, i) => isThere[i]);
}

/** The folder of the broker's jars: from the cache, else by Maven; null when there is no Maven. */
export async function kafkaJars(env: Environment): Promise<string | null> {
  // Holds kafka.Kafka and kafka.tools.StorageTool; brings the other Kafka modules and Scala.
  return mavenJars(env, `kafka-${KAFKA_VERSION}`, [`org.apache.kafka:kafka_2.13:${KAFKA_VERSION}`]);
}

/**
 * The folder, by its name in the cache, of the jars of artifacts and of what they need; null when it
 * is not there and there is no Maven. A name stands for the same artifacts for ever.
 */
export async function mavenJars(
  env: Environment,
  name: string,
  artifacts: readonly string[],
): Promise<string | null> {
  return cached(env, name, async (folder) => {
    const pom = join(folder, 'pom.xml');
    await writeFile(pom, kafkaPom(artifacts));
    return maven([
      ...['-f', pom, `${DEPENDENCY_PLUGIN}:copy-dependencies`],
      ...[`-DoutputDirectory=${folder}`, '-DincludeScope=runtime'],
    ]);
  });
}

/** The folder of Apicurio's registry, unpacked: from the cache, else by Maven; null without Maven. */
export async function apicurioFolder(env: Environment): Promise<string | null> {
  return cached(env, 'apicurio-3.3.3', async (folder) => {
    const archives = `${folder}.archive`;
    const copied = await maven([
      `${DEPENDENCY_PLUGIN}:copy`,
      `-Dartifact=${APICURIO}`,
      `-DoutputDirectory=${archives}`,
      '-Dmdep.stripVersion=true',
    ]);
    if (!copied) return false;
    const archive = join(archives, 'apicurio-registry-app-all.tar.gz');
    const unpacked = await runCommand('tar', ['xzf', archive, '-C', folder]);
    await rm(archives, { recursive: true, force: true });
    if (unpacked.exitCode !== 0) throw failed('tar could not unpack Apicurio', unpacked);
    return true;
  });
}

/**
 * A folder of the cache by its name; null when it is not there and could not be filled. It is filled
 * beside and renamed, so that an interrupted download is never taken for whole.
 */
export async function cached(
  env: Environment,
  name: string,
  fill: (folder: string) => Promise<boolean>,
): Promise<string | null> {
  const folder = join(cacheFolder(env), name);
  if (await exists(folder)) return folder;
  const partial = `${folder}.${process.pid}.partial`;
  await mkdir(partial, { recursive: true });
  try {
    if (!(await fill(partial))) return null;
    await rename(partial, folder).catch(async (error: unknown) => {
      if (!(await exists(folder))) throw error; // else another process was quicker
    });
    return folder;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** False when there is no Maven. */
async function maven(args: readonly string[]): Promise<boolean> {
  const result = await runCommand('mvn', ['-q', '-B', ...args]);
  if (result.exitCode === null) return false;
  if (result.exitCode !== 0) throw failed('Maven could not resolve the jars', result);
  return true;
}

export async function runCommand(command: string, args: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks: Buffer[] = [];
    const done = (exitCode: number | null): void =>
      resolve({ exitCode, output: Buffer.concat(chunks).toString('utf8') });
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', () => done(null));
    child.on('close', (exitCode) => done(exitCode ?? 1));
  });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function failed(what: string, { output }: CommandResult): FreshetError {
  // Maven says first what is wrong, and then how to ask for more.
  const lines = output.trim().split('\n').slice(0, 5).join('\n');
  return new FreshetError('DEV_SERVICE_FAILED', `${what}:\n${lines}`);
}
