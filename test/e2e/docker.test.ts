/** The Dockerfile and docker-compose.yml, as far as they can be checked without Docker. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Copy, DockerfileParser } from 'dockerfile-ast';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadConfig, loadRepository } from '../../src/config/index.ts';
import { buildCatalog } from '../../src/definition/index.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BUILD_MS_MAX = 240_000;
const IMAGE_MB_MAX = 250;

describe('the Dockerfile', () => {
  let folder: string;
  let server: ChildProcess | undefined;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-image-'));
  });
  afterAll(async () => {
    server?.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });
  const image = (): string => join(folder, 'last');
  const freshet = (args: readonly string[], cwd: string) =>
    run(process.execPath, [join(image(), 'app/dist/src/cli/main.js'), ...args], { cwd });

  it(
    'builds, its steps run one after the other',
    async () => {
      const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
      await buildStages(text, folder);
      const { stdout } = await freshet(['--version'], folder);
      const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
      expect(stdout.trim()).toBe(version);
    },
    BUILD_MS_MAX,
  );

  it('builds small: without what only development needs', async () => {
    const { stdout } = await run('du', ['-sm', image()]);
    expect(Number.parseInt(stdout, 10)).toBeLessThan(IMAGE_MB_MAX);
    const modules = join(image(), 'app/node_modules');
    await expect(readFile(join(modules, 'typescript/package.json'))).rejects.toThrow('ENOENT');
  });

  it('runs a repository: init, apply, produce, serve, and stops when it is asked to', async () => {
    const shop = join(folder, 'shop');
    await freshet(['init', 'shop'], folder);
    await freshet(['apply'], shop);
    await freshet(['produce', 'orders', 'orders.ndjson'], shop);
    const main = join(image(), 'app/dist/src/cli/main.js');
    server = spawn(process.execPath, [main, 'serve', '--port', '0', '--json', '--log', 'none'], {
      cwd: shop,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    for await (const line of createInterface({ input: server.stdout as never })) {
      printed += line;
      if (line.startsWith('}')) break;
    }
    const { url } = JSON.parse(printed);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    server.kill('SIGTERM');
    expect(await once(server, 'exit')).toEqual([0, null]);
  });
});

describe('docker-compose.yml', () => {
  let services: z.output<typeof COMPOSE>['services'];
  let volumes: readonly string[];
  beforeAll(async () => {
    const text = await readFile(join(ROOT, 'docker-compose.yml'), 'utf8');
    const compose = COMPOSE.parse(parse(text, { merge: true }));
    ({ services } = compose);
    volumes = Object.keys(compose.volumes);
  });

  it('names a version of each image, and builds its own from the Dockerfile', () => {
    for (const { image } of Object.values(services)) {
      expect(image).toMatch(/^[\w./-]+:\d+\.\d+\.\d+$/);
    }
    expect(services['worker']?.build).toBe('.');
  });

  it('publishes ports to this machine alone', () => {
    const ports = Object.values(services).flatMap((service) => service.ports);
    expect(ports.length).toBeGreaterThan(0);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('waits for what a service needs: healthy, or done', () => {
    for (const { depends_on } of Object.values(services)) {
      for (const [name, { condition }] of Object.entries(depends_on)) {
        const needed = services[name];
        const checked = needed?.healthcheck !== undefined && !('disable' in needed.healthcheck);
        expect(condition).toBe(checked ? 'service_healthy' : 'service_completed_successfully');
      }
    }
  });

  it('keeps data in volumes that it declares', () => {
    const mounts = Object.values(services).flatMap((service) => service.volumes);
    const used = mounts.map((mount) => mount.split(':')[0] as string).filter(isVolumeName);
    expect(new Set(used)).toEqual(new Set(volumes));
  });

  it('runs a repository that loads, with the addresses of its services', async () => {
    const directory = join(ROOT, 'examples/docker');
    const { environment } = services['worker'] as { environment: Record<string, string> };
    const config = await loadConfig(directory, environment);
    expect(config.log).toMatchObject({ type: 'kafka', brokers: ['kafka:9092'] });
    const catalog = buildCatalog(await loadRepository(directory));
    expect([...catalog.views.keys()].sort()).toEqual(['attention', 'last_click']);
  });
});

const healthcheck = z.union([
  z.strictObject({ disable: z.literal(true) }),
  z.strictObject({
    test: z.tuple([z.literal('CMD')], z.string()),
    interval: z.string(),
    timeout: z.string(),
    retries: z.int(),
    start_period: z.string(),
  }),
]);

/** What we use of the Compose specification. */
const COMPOSE = z.strictObject({
  name: z.string(),
  'x-freshet': z.unknown(),
  services: z.record(
    z.string(),
    z.strictObject({
      image: z.string(),
      build: z.string().optional(),
      command: z.array(z.string()).optional(),
      environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
      volumes: z.array(z.string()).default([]),
      ports: z.array(z.string()).default([]),
      depends_on: z
        .record(
          z.string(),
          z.strictObject({
            condition: z.enum(['service_healthy', 'service_completed_successfully']),
          }),
        )
        .default({}),
      healthcheck: healthcheck.optional(),
      stop_grace_period: z.string().optional(),
      restart: z.literal('unless-stopped').optional(),
    }),
  ),
  volumes: z.record(z.string(), z.null()),
});

function isVolumeName(mount: string): boolean {
  return /^[a-z]/.test(mount);
}

/**
 * Runs the steps of each stage in a folder of its own that stands for the root of its image: COPY,
 * WORKDIR and RUN. Owners are left out: they need the image's users.
 */
async function buildStages(text: string, folder: string): Promise<void> {
  const stages = new Map<string, string>();
  let root = '';
  let workdir = '/';
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    const args = instruction.getArguments().map((argument) => argument.getValue());
    switch (instruction.getKeyword()) {
      case 'FROM': {
        const name = args[2] ?? 'last';
        root = join(folder, name);
        stages.set(name, root);
        break;
      }
      case 'WORKDIR':
        workdir = args[0] as string;
        await mkdir(join(root, workdir), { recursive: true });
        break;
      case 'COPY': {
        const from = (instruction as Copy).getFromFlag()?.getValue();
        const source = from ? (stages.get(from) as string) : ROOT;
        const target = args.at(-1) as string;
        for (const path of args.slice(0, -1)) {
          const into = target.endsWith('/') ? join(target, path) : target;
          await cp(join(source, path), join(root, workdir, into), { recursive: true });
        }
        break;
      }
      case 'RUN': {
        const command = (instruction.getArgumentsContent() ?? '')
          .replace(' -o node -g node', '')
          .replaceAll(' /', ` ${root}/`);
        await run('sh', ['-c', command], { cwd: join(root, workdir), maxBuffer: 1 << 26 });
        break;
      }
      default:
        break;
    }
  }
}
