import type { Provider } from './provider.js';

/** A token that somebody gave to the controller. */
export const STORED: Provider<'stored'> = {
  recordOf: ({ token }) => ({ secret: token, settings: {} }),
  token: async ({ secret }) => ({ token: secret }),
};
