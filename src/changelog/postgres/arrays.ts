/** Arrays in PostgreSQL's binary form, one parameter for many rows: nothing has to be escaped, and a text is encoded once. */

const HEADER = 20
const OID = { bool: 16, bytea: 17, int8: 20, int4: 23, text: 25 } as const

export function texts (values: ReadonlyArray<string | null>): Buffer {
  const sizes = values.map(value => value === null ? -1 : Buffer.byteLength(value))
  const array = begin(OID.text, sizes)
  let place = HEADER
  for (let i = 0; i < values.length; i++) {
    place = array.writeInt32BE(sizes[i]!, place)
    if (values[i] !== null) place += array.write(values[i]!, place)
  }
  return array
}

export function blobs (values: ReadonlyArray<Uint8Array | null>): Buffer {
  const array = begin(OID.bytea, values.map(value => value?.length ?? -1))
  let place = HEADER
  for (const value of values) {
    place = array.writeInt32BE(value?.length ?? -1, place)
    if (value === null) continue
    array.set(value, place)
    place += value.length
  }
  return array
}

/** Of bigint. */
export function numbers (values: readonly number[]): Buffer {
  const array = begin(OID.int8, new Array<number>(values.length).fill(8))
  let place = HEADER
  for (const value of values) {
    const high = Math.floor(value / 2 ** 32)
    place = array.writeInt32BE(8, place)
    place = array.writeInt32BE(high, place)
    place = array.writeUInt32BE(value - high * 2 ** 32, place)
  }
  return array
}

export function integers (values: readonly number[]): Buffer {
  const array = begin(OID.int4, new Array<number>(values.length).fill(4))
  let place = HEADER
  for (const value of values) place = array.writeInt32BE(value, array.writeInt32BE(4, place))
  return array
}

export function flags (values: readonly boolean[]): Buffer {
  const array = begin(OID.bool, new Array<number>(values.length).fill(1))
  let place = HEADER
  for (const value of values) place = array.writeUInt8(value ? 1 : 0, array.writeInt32BE(1, place))
  return array
}

/** @param sizes of the items in bytes, -1 for null */
function begin (type: number, sizes: readonly number[]): Buffer {
  let bytes = HEADER
  let nulls = 0
  for (const size of sizes) {
    bytes += 4 + Math.max(0, size)
    if (size < 0) nulls = 1
  }
  const array = Buffer.allocUnsafe(bytes)
  let place = array.writeInt32BE(1, 0)
  place = array.writeInt32BE(nulls, place)
  place = array.writeInt32BE(type, place)
  place = array.writeInt32BE(sizes.length, place)
  array.writeInt32BE(1, place)
  return array
}
