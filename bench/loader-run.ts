/** Loads batches of S1 from prepared tokens for some seconds; its last line says in JSON how fast that was and the most memory the process held. */
import { type LoaderOptions, openLoader } from '../datasets/loader.js';
import { OtherLoad } from './load.js';
import { TRAIN_SHAPES } from './shapes.js';

export interface LoaderRun {
  tokensPerSecond: number;
  peakBytes: number;
  /** Memory before anything was loaded. */
  emptyBytes: number;
  otherLoad: number;
}

const [directory, seconds, way] = process.argv.slice(2);
const { B, T } = TRAIN_SHAPES['S1'];
const emptyBytes = process.memoryUsage().rss;
const settings: LoaderOptions = { directory, contextLength: T, batchSize: B, packing: 'concat', sampling: 'epoch', seed: 1337 };
const loader = await openLoader({ ...settings, ...(JSON.parse(way) as Partial<LoaderOptions>) });
const other = new OtherLoad();
const began = performance.now();
let tokens = 0;
while (performance.now() - began < Number(seconds) * 1000) {
  for (let i = 0; i < 100; i++) tokens += (await loader.next()).supervised;
}
const tokensPerSecond = (tokens * 1000) / (performance.now() - began);
const otherLoad = other.cores();
await loader.close();
const run: LoaderRun = { tokensPerSecond, peakBytes: process.resourceUsage().maxRSS * 1024, emptyBytes, otherLoad };
console.log(JSON.stringify(run));
