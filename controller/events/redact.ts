import type { Parameters } from '../../protocol/messages/parameters.js';

/** A-61's names. */
const SECRET_NAME = /token|secret|password|authorization|api_?key/i;

/** Parameters as they may be shown to everybody who may read: what is a secret by its name is left out. */
export function redactParameters(parameters: Parameters): Parameters {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, SECRET_NAME.test(name) ? '[redacted]' : value]),
  );
}
