import { describe, expect, it } from 'vitest';
import { canTransition, type ViewState, whileMaterializing } from '../../src/registry/index.ts';
import { useFolder } from './support.ts';

const newFolder = useFolder();
const STATES: readonly ViewState[] = [
  'STATE_UNSPECIFIED',
  'CREATED',
  'GENERATED',
  'MATERIALIZING',
  'AVAILABLE_ONLINE',
];

async function registryWith(views: Readonly<Record<string, ViewState>>) {
  const registry = newFolder().registry();
  await registry.update((state) => ({ ...state, views }));
  const views_ = async (): Promise<unknown> => (await registry.read()).views;
  return { registry, views: views_ };
}

describe('the state of a view', () => {
  it('goes from being made over being filled to being served, and back to being filled', () => {
    const allowed = STATES.flatMap((from) =>
      STATES.filter((to) => canTransition(from, to)).map((to) => `${from} → ${to}`),
    );
    expect(allowed).toEqual([
      'STATE_UNSPECIFIED → CREATED',
      'CREATED → GENERATED',
      'GENERATED → MATERIALIZING',
      'MATERIALIZING → GENERATED',
      'MATERIALIZING → AVAILABLE_ONLINE',
      'AVAILABLE_ONLINE → MATERIALIZING',
    ]);
  });
});

describe('a task that fills the online store', () => {
  it('shows its views as MATERIALIZING, and as AVAILABLE_ONLINE behind it', async () => {
    const { registry, views } = await registryWith({ a: 'GENERATED', b: 'AVAILABLE_ONLINE' });
    const result = await whileMaterializing(registry, ['a', 'b'], async () => {
      expect(await views()).toEqual({ a: 'MATERIALIZING', b: 'MATERIALIZING' });
      return 'result';
    });
    expect(result).toBe('result');
    expect(await views()).toEqual({ a: 'AVAILABLE_ONLINE', b: 'AVAILABLE_ONLINE' });
  });

  it('leaves its views GENERATED when it fails', async () => {
    const { registry, views } = await registryWith({ a: 'AVAILABLE_ONLINE', b: 'GENERATED' });
    const failing = whileMaterializing(registry, ['a'], async () => {
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await views()).toEqual({ a: 'GENERATED', b: 'GENERATED' });
  });

  it('goes on with a view that a crash left MATERIALIZING', async () => {
    const { registry, views } = await registryWith({ a: 'MATERIALIZING' });
    await whileMaterializing(registry, ['a'], async () => {});
    expect(await views()).toEqual({ a: 'AVAILABLE_ONLINE' });
  });

  it('gives no state to a view that is not applied, and writes nothing for it', async () => {
    const { registry } = await registryWith({ a: 'GENERATED' });
    const before = await registry.read();
    await whileMaterializing(registry, ['unknown'], async () => {});
    expect(await registry.read()).toEqual(before);
  });

  it('does not bring back a view that was deleted meanwhile', async () => {
    const { registry, views } = await registryWith({ a: 'GENERATED' });
    await whileMaterializing(registry, ['a'], async () => {
      await registry.update((state) => ({ ...state, views: {} }));
    });
    expect(await views()).toEqual({});
  });

  it('tells its own failure where the registry fails, too', async () => {
    const { registry } = await registryWith({ a: 'GENERATED' });
    const failing = whileMaterializing(registry, ['a'], async () => {
      registry.update = () => Promise.reject(new Error('registry'));
      throw new Error('task');
    });
    await expect(failing).rejects.toThrow('task');
  });
});
