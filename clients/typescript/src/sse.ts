/** One server-sent event (HTML, section 9.2); what has no data is none. */
export interface Message {
  id: string | undefined;
  type: string;
  data: string;
}

/** Parses an event stream; chunks may end anywhere. */
export async function* messages(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Message, void, void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const message = messageOf(block);
      if (message) yield message;
    }
  }
}

function messageOf(block: string): Message | undefined {
  const fields = new Map<string, string[]>();
  for (const line of block.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon === 0) continue; // a comment, which keeps the connection alive
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    fields.set(name, [...(fields.get(name) ?? []), value]);
  }
  const data = fields.get('data');
  if (!data) return undefined;
  return {
    id: fields.get('id')?.at(-1),
    type: fields.get('event')?.at(-1) ?? 'message',
    data: data.join('\n'),
  };
}
