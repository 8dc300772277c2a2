import { describe, expect, it } from 'vitest';
import { createQueue } from '../../src/core/queue.ts';

describe('a queue', () => {
  it('begins a task when the one before has ended, and gives each its own result', async () => {
    const queue = createQueue();
    const steps: string[] = [];
    const task = (name: string) => async () => {
      steps.push(`${name} begins`);
      await new Promise((done) => setImmediate(done));
      steps.push(`${name} ends`);
      return name;
    };
    expect(await Promise.all([queue(task('a')), queue(task('b'))])).toEqual(['a', 'b']);
    expect(steps).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  });

  it('goes on behind a task that fails, whose failure only its caller is told', async () => {
    const queue = createQueue();
    const failing = queue(() => Promise.reject(new Error('no')));
    const next = queue(async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });
});
