import { CONTROLS } from './controls.js';
import { testControls } from './test-controls.js';

const ELSEWHERE: readonly string[] = ['broker-loss', 'controller-kills', 'frozen', 'hostile-link', 'kill-under-load'];

testControls(CONTROLS.filter(({ caughtBy }) => !ELSEWHERE.includes(caughtBy)));
