/** Cases that Freshet answers differently on purpose, with the paragraph that decides each. */
export const differences: Readonly<Record<string, string>> = {
  'online-equal-event-time-first-wins':
    'at equal event times the total order of rows decides, online and offline alike (docs/architecture.md, «Time and order»)',
  'online-store-key-ttl-expiry':
    'a TTL is judged when a value is read, at the time of the read (docs/architecture.md, «Reading»); nothing expires in the store',
  'mat-backfill-old-window-overwrites-newer':
    'a backfill never regresses a newer value (docs/architecture.md, «Time and order»)',
  'mat-odfv-single-source':
    'on-demand views are computed when they are read, never when rows are written: a source value past its TTL is null to the transform, online as in a join (docs/architecture.md, «Reading»)',
  'quix-tumb-trigger-after':
    'stream time alone closes a window (docs/windows.md, «Emission»); no value of it does',
  'quix-tumb-trigger-before':
    'stream time alone closes a window (docs/windows.md, «Emission»); no value of it does',
};
