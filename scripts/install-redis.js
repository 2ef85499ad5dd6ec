// Before npm run bench: Redis, which one part of it measures beside us. Without it that part says so.
import { installDebianPackages } from '../test/support/install-debian-packages.js';

await installDebianPackages(['redis-server']);
