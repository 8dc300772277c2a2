import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FreshetError } from '../../src/errors.ts';
import { ChildService, freePort } from './child-service.ts';
import { JAVA_VERSION_MIN } from './dev-kafka.ts';
import { apicurioFolder, findJava } from './java-tools.ts';

export interface DevRegistry {
  /** Address of the API that Confluent's clients speak. */
  readonly url: string;
  readonly logFile: string;
  stop(): Promise<void>;
}

/**
 * Apicurio's schema registry for development, in memory, in a Java process of its own.
 * @throws FreshetError DEV_SERVICE_FAILED
 */
export async function startDevRegistry(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<DevRegistry> {
  const java = await findJava(env, JAVA_VERSION_MIN);
  const home = java === null ? null : await apicurioFolder(env);
  if (java === null || home === null) {
    throw new FreshetError('DEV_SERVICE_FAILED', 'Apicurio needs Java 17 or newer, and Maven once');
  }
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'freshet-registry-'));
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  const logFile = join(folder, 'registry.log');
  const service = await ChildService.start({
    name: 'Apicurio',
    command: java,
    args: [
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      `-Dquarkus.http.port=${port}`,
      '-Dquarkus.http.host=127.0.0.1',
      '-jar',
      join(home, 'quarkus-run.jar'),
    ],
    logFile,
    isReady: async () => (await fetch(`${url}/subjects`)).ok,
  });
  return {
    url,
    logFile,
    stop: async () => {
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
