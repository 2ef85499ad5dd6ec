import { MusterError } from '../../protocol/errors.js';

/** An ask that the policy denied; it is kept as this invocation. */
export class DeniedByPolicy extends MusterError {
  readonly invocation: string;

  constructor(error: string, invocation: string) {
    super('denied_by_policy', `${error} (invocation ${invocation})`);
    this.invocation = invocation;
  }
}
