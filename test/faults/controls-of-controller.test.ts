import { CONTROLLER_SUITE } from './suites.js';
import { testControls } from './test-controls.js';

testControls(CONTROLLER_SUITE.controls, CONTROLLER_SUITE);
