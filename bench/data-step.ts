/** Runs one fourfold command; its last line says in JSON how long that took and the most memory the process held. */
import { run } from '../cli/run.js';

const began = performance.now();
const code = await run(process.argv.slice(2));
if (code !== 0) process.exit(code);
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000, peakBytes: process.resourceUsage().maxRSS * 1024 }));
