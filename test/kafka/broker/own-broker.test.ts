/** What needs a broker of its own: restarts under load, credentials, and a broker that is not there. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openKafkaLog } from '../../../connectors/kafka/index.ts';
import { freePort } from '../../../connectors/kafka-dev/child-service.ts';
import { type DevKafka, startDevKafka } from '../../../connectors/kafka-dev/index.ts';
import { FreshetError } from '../../../src/errors.ts';
import type { Log } from '../../../src/log/index.ts';
import { bytes, readAll, records, valuesOf } from '../../contract/log-support.ts';

const kafka = inject('kafka');
const why = kafka.via === 'java' ? '' : ` (Kafka is not a Java process of this run: ${kafka.via})`;

describe.skipIf(kafka.via !== 'java')(`a broker that restarts${why}`, () => {
  let broker: DevKafka;
  let log: Log;
  beforeAll(async () => {
    broker = await startDevKafka();
    log = await openKafkaLog({ brokers: [broker.broker], heartbeatMs: 200 });
  });
  afterAll(async () => {
    await log?.close();
    await broker?.stop();
  });

  it.each(['restart', 'crashAndRestart'] as const)(
    'loses and doubles nothing that was appended or read meanwhile: %s',
    async (how) => {
      const topic = how.toLowerCase();
      await log.createTopic({ topic, partitions: 2, timestampType: 'CreateTime' });
      const read: string[][] = [[], []];
      const reader = await log.join({
        group: topic,
        topics: [topic],
        onAssigned: (tps) => tps.map((tp) => ({ ...tp, offset: read[tp.partition]!.length })),
        onRevoked: async () => {},
      });
      let appended = 0;
      let isEnough = false;
      let isDone = false;
      const appending = (async () => {
        while (!isEnough) {
          const value = bytes(String(appended));
          await log.append([0, 1].map((partition) => ({ topic, partition, key: null, value })));
          appended++;
        }
        isDone = true;
      })();
      const reading = (async () => {
        while (!isDone || read.some((values) => values.length < appended)) {
          for (const batch of await patiently(() => reader.poll({ waitMs: 100 }))) {
            read[batch.partition]!.push(...(valuesOf([batch]) as string[]));
          }
        }
      })();
      await until(() => appended > 50);
      await broker[how]();
      const atRestart = appended;
      await until(() => appended > atRestart + 50);
      isEnough = true;
      await appending;
      await reading;
      await reader.close();
      const expected = Array.from({ length: appended }, (_, i) => String(i));
      expect(read).toEqual([expected, expected]);
      expect(valuesOf(await readAll(log, topic)).length).toBe(2 * appended);
    },
  );
});

describe.skipIf(kafka.via !== 'java')(`a broker that asks who we are${why}`, () => {
  let folder: string;
  let broker: DevKafka;
  let ca: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'freshet-tls-'));
    ca = await selfSigned(folder);
    const jaas =
      'org.apache.kafka.common.security.plain.PlainLoginModule required ' +
      'username="admin" password="a" user_admin="a" user_freshet="right";';
    broker = await startDevKafka({
      settings: {
        'listener.security.protocol.map': 'PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT',
        'sasl.enabled.mechanisms': 'PLAIN',
        'sasl.mechanism.inter.broker.protocol': 'PLAIN',
        'listener.name.plaintext.plain.sasl.jaas.config': jaas,
        'ssl.keystore.type': 'PEM',
        'ssl.keystore.location': join(folder, 'broker.pem'),
        'ssl.truststore.type': 'PEM',
        'ssl.truststore.location': join(folder, 'cert.pem'),
      },
    });
  });
  afterAll(async () => {
    await broker?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const open = (password: string): Promise<Log> =>
    openKafkaLog({
      brokers: [broker.broker],
      ssl: { ca },
      sasl: { mechanism: 'plain', username: 'freshet', password },
    });

  it('lets us in with the right credentials, over TLS', async () => {
    await using log = await open('right');
    await log.createTopic({ topic: 'secret', partitions: 1, timestampType: 'CreateTime' });
    await log.append(records('secret', 'a'));
    expect(valuesOf(await readAll(log, 'secret'))).toEqual(['a']);
  });

  it('refuses wrong credentials once, and says so', async () => {
    await expect(open('wrong')).rejects.toMatchObject({
      code: 'LOG_ACCESS_DENIED',
      retriable: false,
    });
  });
});

describe('a broker that is not there', () => {
  it('is LOG_UNAVAILABLE, which may be tried again', async () => {
    const opening = openKafkaLog({ brokers: [`127.0.0.1:${await freePort()}`] });
    await expect(opening).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE', retriable: true });
  });

  it('does not make a way to log in without a mechanism look possible', async () => {
    const opening = openKafkaLog({ brokers: ['127.0.0.1:1'], sasl: { username: 'a' } });
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

/** As the engine does: what may be tried again is. */
async function patiently<T>(attempt: () => Promise<T[]>): Promise<T[]> {
  try {
    return await attempt();
  } catch (thrown) {
    if (thrown instanceof FreshetError && thrown.retriable) return [];
    throw thrown;
  }
}

async function until(isDone: () => boolean): Promise<void> {
  for (let check = 0; check < 3_000 && !isDone(); check++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The certificate; its key and itself lie in `broker.pem`. */
async function selfSigned(folder: string): Promise<string> {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  await promisify(execFile)('openssl', [
    ...[
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      key,
      '-out',
      cert,
    ],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
  ]);
  const certificate = await readFile(cert, 'utf8');
  await writeFile(join(folder, 'broker.pem'), (await readFile(key, 'utf8')) + certificate);
  return certificate;
}
