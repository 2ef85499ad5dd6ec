import { testEngineContract } from '../support/engines/contract.js';
import { startDockerd } from '../support/engines/dockerd.js';

testEngineContract({ name: 'dockerd', start: startDockerd });
