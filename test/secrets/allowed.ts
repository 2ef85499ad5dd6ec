/** Where a secret has to be, and why. Every other hit is a fault. */
type Allowed = Readonly<{ canaries: RegExp; place: RegExp; reason: string }>;

export const ALLOWED: readonly Allowed[] = [
  {
    canaries: /^(ownerToken)$/,
    place: /^file cli\.json$/,
    reason: 'the credential of the command line, 0600',
  },
  { canaries: /^ownerToken$/, place: /^told once$/, reason: 'the first start shows it' },
  {
    canaries: /^(enrollmentToken|apiToken)$/,
    place: /^http POST \/api\/v1\/(enrollment-tokens|login)$/,
    reason: 'it is made there and given once; the store has its hash',
  },
  { canaries: /^agentKey$/, place: /^file agent\/[^/]+$/, reason: 'the private key of the node, 0600' },
  { canaries: /^controllerKey$/, place: /^file controller\/[^/]+$/, reason: 'a private key of the controller, 0600' },
  { canaries: /^vaultKey$/, place: /^file controller\/integrations\.key$/, reason: 'the key of what is sealed, 0600' },
  {
    canaries: /^onController$/,
    place: /^(mqtt agent|file agent\/(journal|output)\/)/,
    reason: 'the hook printed what the node does not know as a secret; agent.secrets_file is for that',
  },
  {
    canaries: /^typed$/,
    place: /^(mqtt|file agent\/journal|table (invocations|requests)$|file controller\/muster\.db)/,
    reason: 'a parameter is for the node, and is stored as it was typed until it is asked again (A-19, S-A-24)',
  },
];

/** Why this secret may be there; undefined when it must not. */
export function reasonFor(canary: string, place: string): string | undefined {
  return ALLOWED.find((each) => each.canaries.test(canary) && each.place.test(place))?.reason;
}
