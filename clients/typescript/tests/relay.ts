import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';

import { onTestFinished } from 'vitest';

/**
 * A line to a server that can be cut between the request and its answer. `onAnswer` is
 * told before the first byte of an answer passes; what it returns is whether it may.
 */
export async function relay(port: number, onAnswer: () => Promise<boolean>): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      socket.on('error', () => undefined); // that lines are cut is the purpose
    }
    near.pipe(far);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    far.on('data', (bytes) => {
      far.pause();
      void onAnswer().then((pass) => {
        if (pass) near.write(bytes);
        else near.destroy();
        far.resume();
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}
