import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FreshetError } from '../../src/errors.ts';
import { ChildService, freePort } from './child-service.ts';
import { apicurioFolder, findJava } from './java-tools.ts';

export interface DevRegistry {
  /** Address of the API that Confluent's clients speak. */
  readonly url: string;
  readonly logFile: string;
  stop(): Promise<void>;
}

/** What Apicurio is compiled for; Kafka is content with an older one. */
export const REGISTRY_JAVA_VERSION_MIN = 21;

/**
 * Apicurio's schema registry for development, in memory, in a Java process of its own.
 * @throws FreshetError DEV_SERVICE_FAILED
 */
export async function startDevRegistry(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<DevRegistry> {
  const java = await findJava(env, REGISTRY_JAVA_VERSION_MIN);
  const home = java === null ? null : await apicurioFolder(env);
  if (java === null || home === null) {
    const what = `Apicurio needs Java ${REGISTRY_JAVA_VERSION_MIN} or newer, and Maven once`;
    throw new FreshetError('DEV_SERVICE_FAILED', what);
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
  await refuseIncompatible(url);
  return {
    url,
    logFile,
    stop: async () => {
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Confluent's registry refuses what old rows cannot be read with; Apicurio has to be told. */
async function refuseIncompatible(url: string): Promise<void> {
  const response = await fetch(`${url}/config`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ compatibility: 'BACKWARD' }),
  });
  if (response.ok) return;
  const what = `Apicurio refused its configuration: ${await response.text()}`;
  throw new FreshetError('DEV_SERVICE_FAILED', what);
}
