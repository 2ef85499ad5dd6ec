import type { ErrorCode } from '../protocol/errors.js';

/** Exit codes of every `muster` process (0 is: stopped as asked; 130 is: a command left by Ctrl-C). */
export const EXIT = {
  failed: 1,
  usage: 2,
  unavailable: 69,
  notAllowed: 77,
  configuration: 78,
  interrupted: 130,
} as const;

/** Each code that ends a process with something else than 1. */
const EXIT_BY_CODE: ReadonlyMap<ErrorCode, number> = new Map([
  ['usage', EXIT.usage],
  // What only the controller could see of a command line that was wrong.
  ['invalid_request', EXIT.usage],
  ['invalid_parameter', EXIT.usage],
  ['missing_required_parameter', EXIT.usage],
  ['unavailable', EXIT.unavailable],
  ['suspended', EXIT.unavailable],
  ['sign_in_unavailable', EXIT.unavailable],
  ['not_connected', EXIT.unavailable],
  ['deadline_passed', EXIT.unavailable],
  ['port_in_use', EXIT.unavailable],
  ['already_running', EXIT.unavailable],
  ['agent_not_found', EXIT.unavailable],
  ['too_many_callers', EXIT.unavailable],
  ['unauthenticated', EXIT.notAllowed],
  ['sign_in_failed', EXIT.notAllowed],
  ['forbidden', EXIT.notAllowed],
  ['denied_by_policy', EXIT.notAllowed],
  ['confirmation_required', EXIT.notAllowed],
  ['reason_required', EXIT.notAllowed],
  ['enrollment_failed', EXIT.notAllowed],
  ['not_a_local_user', EXIT.notAllowed],
  ['config_invalid', EXIT.configuration],
  ['sign_in_not_set_up', EXIT.configuration],
  ['store_too_new', EXIT.configuration],
  ['data_dir_unusable', EXIT.configuration],
  ['unsafe_key', EXIT.configuration],
  ['cancelled', EXIT.interrupted],
]);

/** The exit code that a foreseen failure ends a process with. */
export function exitCodeOf(code: ErrorCode): number {
  return EXIT_BY_CODE.get(code) ?? EXIT.failed;
}
