let last = 0; // the millisecond of the newest id
let counter = 0; // of ids within it, 12 bits

/**
 * A UUID of version 7 (RFC 9562): milliseconds, a counter, then chance. Later ones sort
 * later, also within a millisecond (section 6.2, method 1): what is created in one burst
 * keeps its order. For `id` in what creates, so that a client can refer to it before the
 * answer. Unlike `crypto.randomUUID` it works on pages without TLS as well.
 */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const view = new DataView(bytes.buffer);
  advance(view.getUint16(6) & 0x7ff);
  view.setUint32(0, Math.floor(last / 2 ** 16));
  view.setUint16(4, last % 2 ** 16);
  view.setUint16(6, 0x7000 | counter);
  view.setUint8(8, 0x80 | (view.getUint8(8) & 0x3f));
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function advance(seed: number): void {
  const now = Date.now();
  if (now > last) {
    last = now;
    counter = seed;
  } else if (counter < 0xfff) {
    counter += 1;
  } else {
    last += 1;
    counter = 0;
  }
}
