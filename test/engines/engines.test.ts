import { describe } from 'node:test';
import { testEngineContract } from '../support/engines/contract.js';
import { startDockerd } from '../support/engines/dockerd.js';
import { startPodman } from '../support/engines/podman.js';

// Most of the time is waiting: for the grace of a container that does not end, and for one that is to be seen failing.
describe('real engines', { concurrency: 2 }, () => {
  testEngineContract({ name: 'dockerd', start: startDockerd });
  testEngineContract({ name: 'podman', start: startPodman });
});
