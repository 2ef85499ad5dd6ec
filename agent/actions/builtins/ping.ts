import { isIP } from 'node:net';
import type { Logger } from '../../../runtime/logger.js';
import type { Action } from '../action.js';
import type { Isolation } from '../isolation.js';
import { runProgram } from '../processes.js';

/** Tests whether an address answers, with one packet and 3 s of patience (P-63…P-66). */
export function ping({ path, isolation, log }: { path: string; isolation: Isolation; log: Logger }): Action {
  return {
    name: 'ping',
    description: 'Tests the connection to an IP address',
    risk: 'read',
    parameters: [{ name: 'target', type: 'string', required: true, description: 'IP address, version 4 or 6' }],
    async run({ parameters, output, signal }) {
      const target = parameters.get('target');
      if (target === undefined || target === '') {
        return { kind: 'error', code: 'missing_required_parameter', message: 'missing required parameter: target' };
      }
      if (typeof target !== 'string' || isIP(target) === 0) {
        output.write('stderr', 'invalid target IP');
        return { kind: 'exited', exitCode: 1 };
      }
      const end = await runProgram(
        { file: 'ping', args: ['-c', '1', '-W', '3', target], cwd: '/', env: { PATH: path, LC_ALL: 'C' }, graceMs: 0 },
        { signal, output, isolation, log },
      );
      if (end.kind === 'not_started') {
        return { kind: 'error', code: 'start_failed', message: `The program ping could not be started: ${end.errno}.` };
      }
      // P-66 knows two outcomes; ping itself tells no answer (1) from an error (2).
      return end.kind === 'exited' && end.exitCode !== 0 ? { kind: 'exited', exitCode: 1 } : end;
    },
  };
}
