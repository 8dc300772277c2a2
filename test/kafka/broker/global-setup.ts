import type { TestProject } from 'vitest/node';
import { chooseKafka, chooseRegistry, type NoService, type Service } from './ladder.ts';

export interface Found {
  readonly via: Service['via'] | 'none';
  /** Null when there is none. */
  readonly address: string | null;
  /** Empty when there is one. */
  readonly reason: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    readonly kafka: Found;
    readonly schemaRegistry: Found;
  }
}

/** One broker and one registry for all files of the run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { env } = process;
  const services = await Promise.all([chooseKafka(env), chooseRegistry(env)]);
  const [kafka, registry] = services;
  for (const [name, service] of [
    ['Kafka', kafka],
    ['The schema registry', registry],
  ] as const) {
    const text = service.via === 'none' ? service.reason : `${service.via}, ${service.address}`;
    console.log(`${name}: ${service.via === 'none' ? `none (${text})` : text}`);
  }
  const stop = async (): Promise<void> => {
    await Promise.all(services.map((each) => (each.via === 'none' ? undefined : each.stop())));
  };
  if (kafka.via === 'none' && env['FRESHET_REQUIRE_KAFKA'] === '1') {
    await stop();
    throw new Error(`FRESHET_REQUIRE_KAFKA is set and there is no Kafka: ${kafka.reason}`);
  }
  project.provide('kafka', toFound(kafka));
  project.provide('schemaRegistry', toFound(registry));
  return stop;
}

function toFound(service: Service | NoService): Found {
  if (service.via === 'none') return { via: 'none', address: null, reason: service.reason };
  return { via: service.via, address: service.address, reason: '' };
}
