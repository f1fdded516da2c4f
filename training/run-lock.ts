import { dirname } from 'node:path';
import { UserError } from '../util/errors.js';
import { lockFile } from '../util/lock.js';

/** Says with a file which process writes a run, so that two cannot. The function returned gives the lock back. */
export function lockRun(file: string): Promise<() => Promise<void>> {
  return lockFile(
    file,
    (owner) =>
      new UserError(
        `opening the run ${dirname(file)}: one process at a time may write a run; process ${owner} does. ` +
          `Wait for it or choose another output_dir (if no such process is running, remove ${file})`,
      ),
  );
}
