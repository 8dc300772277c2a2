import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { FreshetError } from '../../src/errors.ts';

/** Names as Kafka's `compression.type` has them. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** By their number in the attributes of a record batch. */
export const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

interface Codec {
  compress(bytes: Buffer): Promise<Uint8Array>;
  decompress(bytes: Buffer): Promise<Uint8Array>;
}

const loaded = new Map<Compression, Codec>();

/** @throws FreshetError LOG_CORRUPT when the bytes are not what the codec makes */
export async function decompress(compression: Compression, bytes: Buffer): Promise<Buffer> {
  if (compression === 'none') return bytes;
  try {
    return asBuffer(await (await codecOf(compression)).decompress(bytes));
  } catch (thrown) {
    const what = `records that were packed with ${compression} cannot be unpacked`;
    throw new FreshetError('LOG_CORRUPT', what, { cause: thrown });
  }
}

export async function compress(compression: Compression, bytes: Buffer): Promise<Buffer> {
  if (compression === 'none') return bytes;
  return asBuffer(await (await codecOf(compression)).compress(bytes));
}

/** Loaded when first met: most topics use one codec or none. */
async function codecOf(compression: Exclude<Compression, 'none'>): Promise<Codec> {
  let codec = loaded.get(compression);
  if (codec === undefined) {
    codec = await LOADERS[compression]();
    loaded.set(compression, codec);
  }
  return codec;
}

const LOADERS: Readonly<Record<Exclude<Compression, 'none'>, () => Promise<Codec>>> = {
  gzip: async () => ({
    compress: promisify(zlib.gzip),
    decompress: promisify(zlib.gunzip),
  }),

  snappy: async () => {
    const snappy = await import('snappy');
    return {
      compress: (bytes) => snappy.compress(bytes),
      decompress: async (bytes) => {
        if (!isXerial(bytes)) return unpack(bytes);
        return Buffer.concat(await Promise.all(xerialBlocks(bytes).map(unpack)));
      },
    };
    async function unpack(bytes: Buffer): Promise<Buffer> {
      return (await snappy.uncompress(bytes, { asBuffer: true })) as Buffer;
    }
  },

  lz4: async () => {
    const { compressFrame, decompressFrame } = await import('lz4-napi');
    return { compress: (bytes) => compressFrame(bytes), decompress: decompressFrame };
  },

  zstd: async () => {
    const native = zlib as unknown as NodeZstd;
    if (native.zstdCompress !== undefined && native.zstdDecompress !== undefined) {
      return {
        compress: promisify(native.zstdCompress),
        decompress: promisify(native.zstdDecompress),
      };
    }
    const wasm = await import('@bokuweb/zstd-wasm');
    await wasm.init();
    return {
      compress: async (bytes) => wasm.compress(bytes, ZSTD_LEVEL),
      decompress: async (bytes) => wasm.decompress(bytes, { defaultHeapSize: ZSTD_HEAP_BYTES }),
    };
  },
};

const ZSTD_LEVEL = 3;
/** For frames that do not say how large they are; Kafka's fetch of a partition is smaller. */
const ZSTD_HEAP_BYTES = 16 * 1024 * 1024;

type ZlibCall = (bytes: Buffer, done: (error: Error | null, result: Buffer) => void) => void;

/** Node has zstd from 22.15 on; its types for 20 do not know it. */
interface NodeZstd {
  readonly zstdCompress?: ZlibCall;
  readonly zstdDecompress?: ZlibCall;
}

/** Java's snappy packs blocks into a stream of its own: magic, two versions, (size, block)*. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const XERIAL_HEAD_BYTES = 16;

function isXerial(bytes: Buffer): boolean {
  return bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC);
}

function xerialBlocks(bytes: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = XERIAL_HEAD_BYTES; at < bytes.length; ) {
    const size = bytes.readInt32BE(at);
    blocks.push(bytes.subarray(at + 4, at + 4 + size));
    at += 4 + size;
  }
  return blocks;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
