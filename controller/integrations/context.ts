import type { IntegrationRow } from '../store/integrations.js';

/** What a sealed credential belongs to: with another address or adapter it does not open. */
export function contextOf(
  row: Omit<IntegrationRow, 'sealed' | 'status' | 'name' | 'created_at' | 'created_by'>,
): string {
  const { org, id, adapter, base_url, provider, settings } = row;
  return JSON.stringify([org, id, adapter, base_url, provider, settings]);
}

/** An org has at most so many integrations. */
export const MAX_INTEGRATIONS = 200;
