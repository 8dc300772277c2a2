import { onlineStoreSuite } from '../contract/online-store.ts';
import { openTestKv } from '../state/test-store.ts';

onlineStoreSuite({ name: 'memory', open: openTestKv });
