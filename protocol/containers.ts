import { z } from 'zod';

/** What names a container in a request: its id, at least the first 12 digits of it, or its name. */
export const ContainerReference = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/);

/** A container with this label set to `true` is stopped and restarted only by admins who say why (C-36). */
export const PROTECTED_LABEL = 'muster.protected';

/** So much of an id names a container, as Docker shows it. */
const SHORT_ID_LENGTH = 12;

/**
 * Whether a reference means this container. Agent and controller judge by the same rule: what one of them holds to be
 * protected, the other does not reach under another name.
 */
export function isMeant({ id, name }: Readonly<{ id: string; name?: string | undefined }>, reference: string): boolean {
  if (id === reference || name === reference) return true;
  return reference.length >= SHORT_ID_LENGTH && id.startsWith(reference);
}
