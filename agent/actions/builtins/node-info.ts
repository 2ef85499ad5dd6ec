import { networkInterfaces } from 'node:os';
import type { Logger } from '../../../runtime/logger.js';
import type { Isolation } from '../isolation.js';
import { createOutputCapture } from '../output-capture.js';
import { runProgram } from '../processes.js';
import type { NodeInfo } from './gather-info.js';

const WG_MS = 2000;
const MAX_PEERS_BYTES = 1024 * 1024;

/**
 * What the node knows of its mesh: the address of `meshInterface`, else the local one of the broker connection, and the
 * number of WireGuard peers of that interface, 0 without `wg`.
 */
export function createNodeInfo({
  nodeId,
  meshInterface,
  brokerLocalAddress,
  path,
  isolation,
  log,
}: {
  nodeId: string;
  meshInterface?: string | undefined;
  brokerLocalAddress: () => string | undefined;
  /** PATH in which `wg` is looked for. */
  path: string;
  isolation: Isolation;
  log: Logger;
}): NodeInfo {
  return {
    nodeId,
    meshIp: () => (meshInterface === undefined ? undefined : addressOf(meshInterface)) ?? brokerLocalAddress() ?? '',
    async peerCount(signal) {
      if (meshInterface === undefined) return 0;
      const output = createOutputCapture({ maxBytes: MAX_PEERS_BYTES });
      const end = await runProgram(
        { file: 'wg', args: ['show', meshInterface, 'peers'], cwd: '/', env: { PATH: path }, graceMs: 0 },
        { signal: AbortSignal.any([signal, AbortSignal.timeout(WG_MS)]), output, isolation, log },
      );
      if (end.kind !== 'exited' || end.exitCode !== 0) return 0;
      return output.inline('stdout', MAX_PEERS_BYTES).data.split('\n').filter(Boolean).length;
    },
  };
}

function addressOf(name: string): string | undefined {
  return networkInterfaces()[name]?.[0]?.address;
}
