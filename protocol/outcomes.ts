/** How an accepted execution ends (P-35). */
export const OUTCOMES = ['success', 'failed', 'timeout', 'cancelled', 'error'] as const;
export type Outcome = (typeof OUTCOMES)[number];
