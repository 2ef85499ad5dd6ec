import { hostname } from 'node:os';
import { z } from 'zod';
import type { Action } from '../action.js';

/** What a built-in may know of the node (P-61). */
export type NodeInfo = Readonly<{
  nodeId: string;
  /** Empty when there is none. */
  meshIp: () => string;
  peerCount: (signal: AbortSignal) => Promise<number>;
}>;

/** What `gather_info` prints. */
export const GatherInfo = z.object({
  hostname: z.string(),
  os: z.string(),
  arch: z.string(),
  runtime_version: z.string(),
  mesh_ip: z.string().describe('Empty when there is none'),
  peer_count: z.int(),
  node_id: z.string(),
});
export type GatherInfo = Readonly<z.infer<typeof GatherInfo>>;

/** Prints what the node is, as JSON with the keys of P-62; `runtime_version` stands for its `go_version`. */
export function gatherInfo(node: NodeInfo): Action {
  return {
    name: 'gather_info',
    description: 'What the node is: host name, operating system, runtime, mesh',
    risk: 'read',
    parameters: [],
    prints: GatherInfo,
    async run({ output, signal }) {
      const info: GatherInfo = {
        hostname: readHostname(),
        os: process.platform,
        arch: process.arch,
        runtime_version: `node ${process.version}`,
        mesh_ip: node.meshIp(),
        peer_count: await node.peerCount(signal),
        node_id: node.nodeId,
      };
      output.write('stdout', JSON.stringify(info));
      return { kind: 'exited', exitCode: 0 };
    },
  };
}

function readHostname(): string {
  try {
    return hostname();
  } catch {
    return 'unknown';
  }
}
