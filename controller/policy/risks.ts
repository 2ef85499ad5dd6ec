import type { Risk } from '../../protocol/messages/capabilities.js';

const ORDER: readonly Risk[] = ['read', 'write', 'danger'];

/** Our own built-ins that only read. What nobody names is `write`. */
const DEFAULT_RISKS: ReadonlyMap<string, Risk> = new Map([
  ['gather_info', 'read'],
  ['ping', 'read'],
  ['diagnostics', 'read'],
  ['health_check', 'read'],
  ['logs_tail', 'read'],
  ['service_status', 'read'],
  ['file_fetch', 'read'],
]);

/**
 * The risk of an action: what the table says of a built-in, raised by what nodes announce. A hook of the same name is
 * not the built-in that the table means.
 */
export function riskOf(
  action: string,
  offers: readonly Readonly<{ kind: 'builtin' | 'hook'; announced: Risk | undefined }>[],
): Risk {
  return offers.reduce<Risk>((risk, { kind, announced }) => {
    const own = kind === 'builtin' ? (DEFAULT_RISKS.get(action) ?? 'write') : 'write';
    return [own, announced ?? 'read'].reduce(higher, risk);
  }, 'read');
}

function higher(a: Risk, b: Risk): Risk {
  return ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a;
}
