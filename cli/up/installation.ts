import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** Where each part of one `muster up` keeps its files, below the data directory. */
export type Installation = Readonly<{
  directory: string;
  controller: string;
  agent: string;
  hooks: string;
  logs: string;
}>;

/** Makes the folders of an installation (0700). */
export function makeInstallation(directory: string): Installation {
  const installation = {
    directory,
    controller: join(directory, 'controller'),
    agent: join(directory, 'agent'),
    hooks: join(directory, 'hooks'),
    logs: join(directory, 'logs'),
  };
  for (const path of Object.values(installation)) mkdirSync(path, { recursive: true, mode: 0o700 });
  return installation;
}

/** The port if it is free on loopback, else 0: for metrics, where any port will do when another installation has ours. */
export function freeOrAny(port: number): Promise<number> {
  return new Promise((decided) => {
    const probe = createServer();
    probe.once('error', () => decided(0));
    probe.listen({ host: '127.0.0.1', port }, () => probe.close(() => decided(port)));
  });
}
