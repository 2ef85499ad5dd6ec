import type { Keyring } from '../identity/keyring.js';
import { findRequestPayload } from '../store/executions.js';
import type { Store } from '../store/store.js';

/** Signed requests as they are offered again. */
export type SignedRequests = Readonly<{
  /** The envelope of the stored octets with this hash. @throws {MusterError} storage_failed */
  find: (executionId: string, requestSha256: string) => Promise<string>;
}>;

/** Few broadcasts are under way at once, and only they are asked for often. */
const MAX_KEPT = 16;

/** Reads and signs the same octets once, however many nodes they are offered to: Ed25519 signs them the same each time. */
export function createSignedRequests({ store, keyring }: { store: Store; keyring: Keyring }): SignedRequests {
  const kept = new Map<string, Promise<string>>();

  async function sign(executionId: string, requestSha256: string): Promise<string> {
    return keyring.sign('muster-request', await findRequestPayload(store.read, executionId, requestSha256));
  }

  return {
    find(executionId, requestSha256) {
      const name = `${keyring.keys.signing.kid} ${executionId} ${requestSha256}`;
      const known = kept.get(name);
      if (known !== undefined) return known;
      const envelope = sign(executionId, requestSha256);
      kept.set(name, envelope);
      envelope.catch(() => kept.delete(name));
      const oldest = kept.size > MAX_KEPT ? kept.keys().next().value : undefined;
      if (oldest !== undefined) kept.delete(oldest);
      return envelope;
    },
  };
}
