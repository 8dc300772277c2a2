import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  apicurioFolder,
  cacheFolder,
  findJava,
  kafkaJars,
  mavenJars,
  runCommand,
} from '../../connectors/kafka-dev/java-tools.ts';

describe('tools in Java', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-java-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('are kept in the cache folder of the user, or where one says', () => {
    expect(cacheFolder({ FRESHET_CACHE: '/a' })).toBe('/a');
    expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe(join('/b', 'freshet'));
    expect(cacheFolder({})).toMatch(/\.cache[/\\]freshet$/);
  });

  it('are run by the Java of JAVA_HOME when that is new enough', async () => {
    const java = join(folder, 'bin', 'java');
    await mkdir(join(folder, 'bin'));
    await writeFile(java, '#!/bin/sh\necho \'openjdk version "99.0.1" 2099-01-01\' >&2\n');
    await chmod(java, 0o755);
    expect(await findJava({ JAVA_HOME: folder }, 17)).toBe(java);
    expect(await findJava({ JAVA_HOME: folder }, 99)).toBe(java);
    expect(await findJava({ JAVA_HOME: folder }, 100)).toBeNull();
  });

  it('are taken from the cache without asking Maven', async () => {
    const env = { FRESHET_CACHE: folder };
    await mkdir(join(folder, 'kafka-4.3.1'));
    await mkdir(join(folder, 'apicurio-3.3.3'));
    expect(await kafkaJars(env)).toBe(join(folder, 'kafka-4.3.1'));
    await mkdir(join(folder, 'more-1'));
    expect(await mavenJars(env, 'more-1', ['org.a:b:1'])).toBe(join(folder, 'more-1'));
    expect(await apicurioFolder(env)).toBe(join(folder, 'apicurio-3.3.3'));
  });

  it('say how a command ended, and when it could not be started', async () => {
    const run = (program: string) => runCommand(process.execPath, ['-e', program]);
    expect(await run('console.log("out"); console.error("err")')).toEqual({
      exitCode: 0,
      output: 'out\nerr\n',
    });
    expect((await run('process.exit(3)')).exitCode).toBe(3);
    expect((await runCommand(join(folder, 'nothing'), [])).exitCode).toBeNull();
  });
});
