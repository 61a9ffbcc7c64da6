// For the test that kills a process which has a control plane: starts one, says where it is, and never ends.

import { startControlPlane } from './control-plane.ts';

const { dir, guardianPid, url } = await startControlPlane();
console.log(JSON.stringify({ dir, guardianPid, url }));
