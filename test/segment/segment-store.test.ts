import { createSegmentStore } from '../../src/segment/index.ts';
import { segmentStoreContract } from '../contract/segment-store.ts';

segmentStoreContract('the segment store of local files', createSegmentStore);
