import { once } from 'node:events';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ServerConfig } from '../../config/index.ts';
import { systemClock } from '../../core/clock.ts';
import type { Catalog } from '../../definition/index.ts';
import { FreshetError, toFreshetError } from '../../errors.ts';
import { type Bind, type Context, wholeNumber } from '../context.ts';
import { createLog, type LogFormat, logEngine } from '../engine-log.ts';
import { packageVersion } from '../package-version.ts';

/** `serve`: the feature server. `ui`: the same, with the web console. */
export function serveCommands(program: Command, bind: Bind): void {
  withServeOptions(
    program
      .command('serve')
      .description('serve features over HTTP, and run the engine in the same process'),
  )
    .addHelpText(
      'after',
      `
Examples:
  $ freshet serve
  $ freshet serve --port 0 --log json 2> server.log

Then, of any program:
  curl http://127.0.0.1:6567/get-online-features \\
    -d '{"features":["last_order:amount"],"entities":{"customer_id":[7]}}'`,
    )
    .action(bind((context, options: ServeOptions) => serve(context, options, false)));
  withServeOptions(program.command('ui').description('as `serve`, with the web console at /ui'))
    .option('--allow-writes', 'let pages of this machine retry dead letters without a key')
    .addHelpText(
      'after',
      `
Examples:
  $ freshet ui
  $ freshet ui --port 0 --no-engine`,
    )
    .action(bind((context, options: ServeOptions) => serve(context, options, true)));
}

function withServeOptions(command: Command): Command {
  return command
    .option('--host <name>', 'where to listen; default: server.host of freshet.yaml')
    .option('-p, --port <number>', 'default: server.port of freshet.yaml; 0 is any free port', port)
    .option('--no-engine', 'serve what is stored when the server starts, and read no topic')
    .option('--skip-gap', 'as of `freshet run`')
    .addOption(
      new Option('--log <format>', 'log lines on standard error')
        .choices(['text', 'json', 'none'])
        .default('text'),
    );
}

interface ServeOptions {
  readonly host?: string;
  readonly port?: number;
  readonly engine: boolean;
  readonly skipGap?: boolean;
  readonly allowWrites?: boolean;
  readonly log: LogFormat | 'none';
}

async function serve(
  { output, withStore, signal }: Context,
  options: ServeOptions,
  hasConsole: boolean,
): Promise<void> {
  const { skipGap = false } = options;
  const log = options.log === 'none' ? null : createLog(options.log, process.stderr, systemClock);
  const stopLog =
    options.log === 'none' ? undefined : logEngine(options.log, process.stderr, systemClock);
  // Here, not above: no other command is to wait until a server is loaded.
  const { createFeatureServer } = await import('../../server/index.ts');
  const pages = hasConsole ? await (await import('../../console/index.ts')).loadConsole() : null;
  try {
    await withStore(async (store) => {
      if (hasConsole) requireOpenedByBrowsers(options.port ?? store.config.server.port);
      const runs = options.engine && readsTopics(store.catalog);
      const engine = runs ? await store.startEngine({ skipGap }) : null;
      engine?.finished.catch((thrown) =>
        log?.error({ code: toFreshetError(thrown, 'SERVER_FAILED').code }, 'engine stopped'),
      );
      await using server = await createFeatureServer({
        store,
        version: packageVersion(),
        config: serverConfig(options),
        ...(log && { log }),
        ...(engine && { engine }),
        ...(pages && { console: pages }),
      });
      const { url } = server;
      output.result({ url, ...(pages && { console: `${url}/ui/` }), engine: runs }, () =>
        [
          `Serving at ${output.style.bold(url)}${runs ? '; the engine runs' : ''}.`,
          ...(pages ? [`The console is at ${output.style.bold(`${url}/ui/`)}`] : []),
          output.style.dim('Ctrl-C stops it well.'),
        ].join('\n'),
      );
      if (!signal.aborted) await once(signal, 'abort');
      await server.close();
      await store.stopEngine();
    });
  } finally {
    stopLog?.();
  }
}

function serverConfig({ host, port, allowWrites }: ServeOptions): Partial<ServerConfig> {
  return {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(allowWrites && { anonymous: 'write' }),
  };
}

/** Ports above 1023 of the Fetch standard's list of bad ports; browsers show an error page of their own. */
const REFUSED_PORTS: ReadonlySet<number> = new Set([
  ...[1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566],
  ...[6665, 6666, 6667, 6668, 6669, 6679, 6697, 10_080],
]);

function requireOpenedByBrowsers(number: number): void {
  if (!REFUSED_PORTS.has(number)) return;
  throw new FreshetError('INVALID_ARGUMENT', `browsers refuse to open port ${number}`, {
    next: 'Give the console another one: --port, or server.port in freshet.yaml.',
  });
}

function readsTopics({ views }: Catalog): boolean {
  return [...views.values()].some(({ streamSource, enabled }) => streamSource !== null && enabled);
}

function port(text: string): number {
  const number = wholeNumber(text);
  if (number <= 65_535) return number;
  throw new InvalidArgumentError('It must be 65535 at most.');
}
