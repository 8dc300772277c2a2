import { chown, mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { ChildService, freePort } from '../../../connectors/kafka-dev/child-service.ts';
import { runProgram } from './run-program.ts';

const USER = 'freshet';

/** A PostgreSQL server of its own, whose changes can be read logically. */
export interface Postgres {
  /** What libpq's clients, and our configurations for Connect, read. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs statements, each in a transaction of its own; answers with what they select, as text. */
  run(...statements: readonly string[]): Promise<string>;
  stop(): Promise<void>;
}

/** The folder of PostgreSQL's programs, newest version first; null when there is none. */
export async function findPostgres(): Promise<string | null> {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const debian = '/usr/lib/postgresql';
  const versions = (await readdir(debian).catch(() => [])).sort((a, b) => Number(b) - Number(a));
  for (const folder of [...folders, ...versions.map((version) => join(debian, version, 'bin'))]) {
    const program = await realpath(join(folder, 'postgres')).catch(() => null);
    const initdb = program && (await realpath(join(dirname(program), 'initdb')).catch(() => null));
    if (program && initdb) return dirname(program);
  }
  return null;
}

export async function startPostgres(programs: string): Promise<Postgres> {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-postgres-'));
  const owner = await ownerOf(folder);
  const data = join(folder, 'data');
  const init = ['-D', data, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--no-sync', '--no-locale'];
  await runProgram(join(programs, 'initdb'), init, owner);
  const port = await freePort();
  const env = {
    PGHOST: '127.0.0.1',
    PGPORT: String(port),
    PGUSER: USER,
    PGPASSWORD: 'any',
    PGDATABASE: 'postgres',
  };
  const psql = (statements: readonly string[]): Promise<string> =>
    runProgram(
      join(programs, 'psql'),
      ['-XAtq', '-v', 'ON_ERROR_STOP=1', ...statements.flatMap((each) => ['-c', each])],
      { env: { ...process.env, ...env } },
    );
  const settings = { port, listen_addresses: env.PGHOST, unix_socket_directories: folder };
  const logical = { wal_level: 'logical', fsync: 'off' };
  const service = await ChildService.start({
    name: 'PostgreSQL',
    command: join(programs, 'postgres'),
    args: [
      '-D',
      data,
      ...Object.entries({ ...settings, ...logical }).flatMap(([k, v]) => ['-c', `${k}=${v}`]),
    ],
    logFile: join(folder, 'postgres.log'),
    isReady: async () => (await psql(['SELECT 1'])) === '1\n',
    process: owner,
  });
  return {
    env,
    run: (...statements) => psql(statements),
    stop: async () => {
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root: then the folder is given to `nobody`. */
async function ownerOf(folder: string): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = await Promise.all([
    runProgram('id', ['-u', 'nobody']),
    runProgram('id', ['-g', 'nobody']),
  ]);
  const owner = { uid: Number(uid), gid: Number(gid) };
  await chown(folder, owner.uid, owner.gid);
  return owner;
}
