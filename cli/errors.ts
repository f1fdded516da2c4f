import { CommanderError } from 'commander';
import { isUserError } from '../util/errors.js';

/** Prints an error as its user should see it, the stack with `--verbose` only, and gives the exit code. */
export function reportError(error: unknown, argv: readonly string[]): number {
  if (error instanceof CommanderError) return error.exitCode; // commander has printed it
  const verbose = argv.includes('--verbose');
  const stack = error instanceof Error && verbose ? `\n${error.stack}` : '';
  if (isUserError(error)) {
    console.error(`${error.exitCode > 128 ? '' : 'error: '}${error.message}${stack}`);
    return error.exitCode;
  }
  const message = error instanceof Error ? error.message : String(error);
  console.error(`unexpected error: ${message}${stack || '\nRun again with --verbose to see where.'}`);
  return 1;
}
