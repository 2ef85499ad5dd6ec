import { testEngineContract } from '../support/engines/contract.js';
import { startPodman } from '../support/engines/podman.js';

testEngineContract({ name: 'podman', start: startPodman });
