import { FreshetError } from '../errors.ts';
import type { Environment, TracingConfig } from './config.ts';
import type { ConfigValues } from './config-schema.ts';

/** The path that collectors have for traces below their base address. */
const TRACES_PATH = 'v1/traces';

/**
 * Where spans go: as `freshet.yaml` says, and where it says nothing as OpenTelemetry's variables do.
 * Null without an endpoint, and with OTEL_SDK_DISABLED. @throws FreshetError CONFIG_INVALID
 */
export function resolveTracing(
  { endpoint, serviceName, sampleRatio, headers }: ConfigValues['tracing'],
  project: string,
  environment: Environment,
): TracingConfig | null {
  if (environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return null;
  const found = endpoint ?? endpointOf(environment);
  if (found === null) return null;
  return {
    endpoint: found,
    serviceName: serviceName ?? (environment['OTEL_SERVICE_NAME'] || project),
    sampleRatio,
    headers,
  };
}

/** An empty variable is as good as none. */
function endpointOf(environment: Environment): string | null {
  for (const [name, path] of [
    ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', ''],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', TRACES_PATH],
  ] as const) {
    const value = environment[name];
    if (value === undefined || value === '') continue;
    if (!/^https?:\/\//.test(value) || !URL.canParse(value)) {
      throw new FreshetError('CONFIG_INVALID', `${name} must be an http or https URL`, {
        where: { key: name },
        next: `Correct the variable ${name}, or name another endpoint as tracing.endpoint in freshet.yaml.`,
      });
    }
    return path === '' ? value : `${value.replace(/\/$/, '')}/${path}`;
  }
  return null;
}
