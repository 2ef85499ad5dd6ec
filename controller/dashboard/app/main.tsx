import { MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Failure, isSignedOut } from './api/client.js';
import { ToastProvider } from './parts/toasts.js';
import { endSession, Session } from './session/session.js';
import './style/base.css';
import './style/approvals.css';
import './style/audit.css';
import './style/nodes.css';
import './style/parts.css';
import './style/pages.css';
import './style/invocations.css';
import './style/terminal.css';

const TRIES = 2;
/** What the controller has decided it decides again: only its absence is worth another try. */
const client: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: endAfter }),
  mutationCache: new MutationCache({ onError: endAfter }),
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (failures, error) => failures < TRIES && error instanceof Failure && error.code === 'unreachable',
    },
    mutations: { retry: false },
  },
});

/** A session that the controller does not know has ended. */
function endAfter(error: Error): void {
  if (isSignedOut(error)) endSession(client);
}

const root = document.getElementById('app');
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <ToastProvider>
          <Session />
        </ToastProvider>
      </QueryClientProvider>
    </StrictMode>,
  );
}
