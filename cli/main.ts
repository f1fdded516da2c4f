#!/usr/bin/env node
import { reportError } from './errors.js';
import { run } from './run.js';

const argv = process.argv.slice(2);

// The reader of a pipe (`fourfold sample … | head`) may go before we are done.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.on('uncaughtException', (error) => process.exit(reportError(error, argv)));

process.exitCode = await run(argv);
