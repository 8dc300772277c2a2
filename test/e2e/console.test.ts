/** The web console in a real Chromium, on a shop with something on every page. */
import { createHash } from 'node:crypto';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../console/find-chromium.ts';
import { type ConsoleShop, openConsoleShop } from '../console/shop.ts';

const executablePath = await findChromium();
if (executablePath === null) {
  console.warn('The console is not tested: there is no Chromium on the path or at CHROMIUM_PATH.');
}

const PAGES: readonly (readonly [hash: string, title: string])[] = [
  ['#/', 'Overview'],
  ['#/catalogue', 'Catalogue'],
  ['#/catalogue/featureView/order_totals', 'order_totals'],
  ['#/catalogue/featureView/account', 'account'],
  ['#/catalogue/topicSource/orders', 'orders'],
  ['#/catalogue/onDemandFeatureView/basket', 'basket'],
  ['#/catalogue/featureService/next_order', 'next_order'],
  ['#/topics', 'Topics and partitions'],
  ['#/dead-letters', 'Dead letters'],
  ['#/checks', 'Parity and backfills'],
  ['#/nowhere', 'No such page'],
];

interface OpenOptions {
  readonly url?: string;
  readonly width?: number;
  readonly colorScheme?: 'light' | 'dark';
}

describe.skipIf(executablePath === null)('the console', () => {
  let shop: ConsoleShop;
  let browser: Browser;
  /** What browsers complain about. */
  let complaints: string[] = [];
  const closing: (() => PromiseLike<void>)[] = [];
  beforeAll(async () => {
    shop = await openConsoleShop(Date.now());
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: ['--no-sandbox'], // tests may run as root
    });
  });
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
    complaints = [];
  });
  afterAll(async () => {
    await browser?.close();
    await shop?.[Symbol.asyncDispose]();
  });

  async function open(hash: string, options: OpenOptions = {}): Promise<Page> {
    const { url = shop.url, width = 1_280, colorScheme = 'light' } = options;
    const context = await browser.newContext({ viewport: { width, height: 860 }, colorScheme });
    closing.push(() => context.close());
    const page = await context.newPage();
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(`${url}/ui/${hash}`);
    return page;
  }

  describe.each([
    ['light', 1_280],
    ['dark', 1_280],
    ['light', 390],
    ['dark', 390],
  ] as const)('in %s, %i pixels wide', (colorScheme, width) => {
    it.each(PAGES)('opens %s without a complaint, for all to use', async (hash, title) => {
      const page = await open(hash, { colorScheme, width });
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
      await page.getByText('Healthy').first().waitFor();
      await page.locator('.loading').first().waitFor({ state: 'detached' });
      expect(complaints).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
      expect(await seriousFaults(page)).toEqual([]);
    });
  });

  it('shows rows as they come', async () => {
    const page = await open('#/');
    const rows = page
      .getByRole('row', { name: /^orders/ })
      .getByRole('cell')
      .first();
    const before = await rows.textContent();
    const row = { ordered_at: new Date(), customer_id: 1, amount: 1, items: 1, country: 'DE' };
    await shop.store.push('orders', [row]);
    await expect.poll(() => rows.textContent(), { timeout: 10_000 }).not.toBe(before);
  });

  it('looks up a value by its key, with its history', async () => {
    const page = await open('#/catalogue/featureView/last_order');
    const look = page.getByRole('button', { name: 'Look up' });
    await look.click();
    await page.getByText('a value is needed').waitFor();
    await page.getByLabel('customer_id').fill('seven');
    await look.click();
    await page.getByRole('alert').getByText('a whole number').waitFor();
    await page.getByLabel('customer_id').fill('7');
    await look.click();
    const values = page.getByRole('region', { name: 'Values', exact: true });
    await values.getByText('present').first().waitFor();
    expect(await values.getByRole('row').count()).toBe(4);
    await page.getByRole('img', { name: /^amount over time/ }).waitFor();
    await page.getByLabel('Feature', { exact: true }).selectOption('country');
    await page.getByRole('region', { name: /^Values over time/ }).waitFor();
    await page.getByRole('button', { name: '1 hour' }).click();
    expect(await seriousFaults(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it('says that there is no row of a key', async () => {
    const page = await open('#/catalogue/featureView/last_order');
    await page.getByLabel('customer_id').fill('123456789');
    await page.keyboard.press('Enter');
    await page.getByText('not found').first().waitFor();
    await page.getByText('No rows in history').waitFor();
  });

  it('compares both sides', async () => {
    const page = await open('#/checks');
    await page.getByLabel('View').selectOption('account');
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.getByText('Both sides agree to the last bit.').waitFor();
  });

  it('shows each value that differs', async () => {
    const page = await open('#/checks');
    const place = { entity: { customer_id: 7 }, feature: 'tier', time: '2025-01-02T00:00:00.000Z' };
    const differences = [
      { kind: 'mismatch', ...place, online: 'gold', recomputed: 'free' },
      { kind: 'missing', ...place, online: null, recomputed: 'free' },
    ];
    const view = { view: 'account', entities: 40, times: [place.time], values: 40, sqlValues: 0 };
    await page.route('**/v1/verify', (route) =>
      route.fulfill({ json: { same: false, views: [{ ...view, differences }] } }),
    );
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.getByText('2 values differ.').waitFor();
    const table = page.getByRole('region', { name: 'Differences' });
    expect(await table.getByRole('row').nth(1).getByRole('cell').allTextContents()).toEqual([
      'other value',
      '7',
      'tier',
      '2025-01-02 00:00:00.000',
      'gold',
      'free',
    ]);
    expect(await table.getByText('not served').count()).toBe(1);
    expect(await seriousFaults(page)).toEqual([]);
  });

  it('says above everything why the engine does not keep up, and what the server refuses', async () => {
    const page = await open('#/topics');
    const reasons = ['shop.orders[0] stands at 7 for 31 s; its lag grew to 9 records'];
    await page.route('**/v1/overview', async (route) => {
      const json = await (await route.fetch()).json();
      await route.fulfill({ json: { ...json, health: { status: 'unhealthy', reasons } } });
    });
    const refusal = {
      code: 'REQUEST_TIMEOUT',
      message: 'the log is slow',
      where: {},
      next: 'Wait.',
    };
    await page.route('**/v1/status', (route) => route.fulfill({ status: 503, json: refusal }));
    await page.getByRole('alert').getByText('The log is slow').waitFor();
    await page.getByText('Unhealthy').waitFor();
    await page.getByRole('link', { name: 'Overview' }).click();
    await page
      .getByRole('alert')
      .getByText(reasons[0] as string)
      .waitFor();
    expect(await seriousFaults(page)).toEqual([]);
  });

  it('sends a dead letter again only after it was confirmed', async () => {
    const page = await open('#/dead-letters');
    await page.getByRole('button', { name: 'Show letter' }).last().click();
    const letter = page.getByRole('dialog', { name: /^Letter/ });
    await letter.getByText('Value').waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    await letter.getByRole('button', { name: 'Retry this one…' }).click();
    const confirm = page.getByRole('dialog', { name: 'Send again?' });
    await confirm.waitFor();
    await page.keyboard.press('Escape');
    await confirm.waitFor({ state: 'detached' });
    expect(await letters(shop)).toBe(3);
    await letter.getByRole('button', { name: 'Retry this one…' }).click();
    await confirm.getByRole('button', { name: 'Send again' }).click();
    await page.getByText('1 record sent again').waitFor();
    // It is as bad as before, so it comes back.
    await expect.poll(() => letters(shop), { timeout: 10_000 }).toBe(4);
  });

  it('is worked with the keyboard alone', async () => {
    const page = await open('');
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('Skip to the page');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('content');
    await page.keyboard.press('/');
    const search = page.getByRole('searchbox');
    await search.waitFor();
    await expect.poll(() => page.evaluate('document.activeElement.type')).toBe('search');
    await page.keyboard.type('pricing');
    await page.getByText('2 found').waitFor();
    await page.getByRole('link', { name: 'last_order', exact: true }).last().press('Enter');
    await page.getByRole('heading', { level: 1, name: 'last_order' }).waitFor();
    expect(await focused(page)).toBe('last_order');
  });

  it('keeps the focus in a dialog and gives it back', async () => {
    const page = await open('#/dead-letters');
    const button = page.getByRole('button', { name: 'Show letter' }).first();
    const id = await button.textContent();
    await button.press('Enter');
    await page.getByRole('dialog').waitFor();
    for (let i = 0; i < 6; i++) {
      await page.keyboard.press('Tab');
      const inside =
        'document.activeElement === document.body || !!document.activeElement.closest("dialog")';
      expect(await page.evaluate(inside)).toBe(true);
    }
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await focused(page)).toBe(id);
  });

  it('takes the colours that were chosen, and keeps them', async () => {
    const page = await open('#/', { colorScheme: 'light' });
    const theme = (): Promise<unknown> => page.evaluate('document.documentElement.dataset.theme');
    await page.getByLabel('Colours').selectOption('dark');
    expect(await theme()).toBe('dark');
    await page.reload();
    await page.getByText('Healthy').first().waitFor();
    expect(await theme()).toBe('dark');
  });

  it('asks nothing while it is hidden', async () => {
    const page = await open('#/');
    await page.getByText('Healthy').first().waitFor();
    await hide(page, true);
    await page.waitForLoadState('networkidle');
    let asked = 0;
    page.on('request', () => asked++);
    const twoSeconds = 2_000; // two rounds would have passed
    await page.waitForTimeout(twoSeconds);
    expect(asked).toBe(0);
    await hide(page, false);
    await expect.poll(() => asked).toBeGreaterThan(0);
  });

  it('says when the server is gone, and keeps what it knew', async () => {
    const own = await openConsoleShop(Date.now());
    const page = await open('#/', { url: own.url });
    await page.getByRole('row', { name: /^orders/ }).waitFor();
    await own[Symbol.asyncDispose]();
    await page.getByText('The server does not answer').waitFor();
    await page.getByText('No answer').waitFor();
    expect(await page.getByRole('row', { name: /^orders/ }).count()).toBe(1);
  });

  it('asks for a key where one is needed, and keeps it in the tab', async () => {
    const key = (name: string, scopes: readonly ('read' | 'write')[]) => ({
      name,
      scopes,
      sha256: createHash('sha256').update(`secret-${name}`).digest('hex'),
      requestsPerMinuteMax: null,
    });
    const keys = [key('reader', ['read']), key('writer', ['read', 'write'])];
    const own = await openConsoleShop(Date.now(), { anonymous: 'none', keys });
    closing.push(() => own[Symbol.asyncDispose]());
    const page = await open('#/dead-letters', { url: own.url });
    const give = async (secret: string): Promise<void> => {
      await page.getByLabel('Key', { exact: true }).fill(secret);
      await page.keyboard.press('Enter');
    };
    await give('wrong');
    await page.getByText('The server does not know this key.').waitFor();
    await give('secret-reader');
    await page.getByText('3 letters').waitFor();
    expect(await page.evaluate('sessionStorage.getItem("freshet-key")')).toBe('secret-reader');
    expect(await page.evaluate('JSON.stringify(localStorage)')).toBe('{}');
    expect(await page.getByRole('button', { name: /^Retry/ }).count()).toBe(0);
    await page.getByRole('button', { name: 'Give a key' }).click();
    await give('secret-writer');
    await page.getByRole('button', { name: 'Retry all…' }).waitFor();
    await page.getByRole('button', { name: 'Forget' }).click();
    await page.getByRole('dialog', { name: 'A key is needed' }).waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });
});

async function letters({ url }: ConsoleShop): Promise<number> {
  const answer = await fetch(`${url}/v1/dead-letters`);
  return ((await answer.json()) as { total: number }).total;
}

async function focused(page: Page): Promise<unknown> {
  return page.evaluate('document.activeElement.textContent.trim()');
}

/** As a browser tells a page that its tab is in the background. */
async function hide(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate(
    `Object.defineProperty(document, 'hidden', { configurable: true, value: ${hidden} });` +
      `document.dispatchEvent(new Event('visibilitychange'));`,
  );
}

/** What axe finds that keeps somebody out, as `rule: element`. */
async function seriousFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 120)}`));
}
