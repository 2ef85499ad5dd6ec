import { CONTROLS } from './controls.js';
import { testControls } from './test-controls.js';

testControls(CONTROLS.filter(({ caughtBy }) => caughtBy === 'broker-loss'));
