/** The checksum of record batches (Castagnoli), eight bytes a step. */
export function crc32c(bytes: Uint8Array): number {
  let crc = -1;
  let i = 0;
  const end = bytes.length - 7;
  for (; i < end; i += 8) {
    const low =
      crc ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    crc =
      T7[low & 0xff]! ^
      T6[(low >>> 8) & 0xff]! ^
      T5[(low >>> 16) & 0xff]! ^
      T4[low >>> 24]! ^
      T3[bytes[i + 4]!]! ^
      T2[bytes[i + 5]!]! ^
      T1[bytes[i + 6]!]! ^
      T0[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) crc = T0[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

const POLYNOMIAL = 0x82f63b78;

/** `next` shifts a table's entries by one more byte. */
function firstTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    return crc;
  });
}

function next(table: Int32Array): Int32Array {
  return table.map((crc) => (crc >>> 8) ^ T0[crc & 0xff]!);
}

const T0 = firstTable();
const T1 = next(T0);
const T2 = next(T1);
const T3 = next(T2);
const T4 = next(T3);
const T5 = next(T4);
const T6 = next(T5);
const T7 = next(T6);
