export const SLOTS = 16_384

/** The slot of a key as the server computes it, also where ioredis does not: in `{}{a}` no part is a hash tag. */
export function slotOf(key: string | Uint8Array): number {
  const bytes = Buffer.from(key as string)
  const open = bytes.indexOf('{')
  const close = open < 0 ? -1 : bytes.indexOf('}', open + 1)
  return crc16(close > open + 1 ? bytes.subarray(open + 1, close) : bytes) % SLOTS
}

/** CRC-16/XMODEM: Redis Cluster Specification, appendix A. */
function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  }
  return crc & 0xffff
}
