import path from 'node:path';
import type { Message } from '../tokenizer/index.js';
import { UserError } from '../util/errors.js';
import { atomicDirectory, exists } from '../util/files.js';
import { RandomStream } from '../util/random.js';
import { ArrowFile, corpusBatch, corpusSchema } from './arrow.js';
import { conversationsBatch, conversationsSchema, promptsBatch, promptsSchema } from './conversations.js';

/**
 * A task whose best is known: find the shortest way to a goal in a graph, from walks that were taken at random. Nodes are letters, `a` is the goal; asked for
 * `k`, an answer is the rest of a way, `fcda`.
 * Source: trlX, examples/randomwalks (Havrilla et al. 2023): 21 nodes, edges with probability .1, walks of at most 10 nodes.
 */
export interface WalkGraph {
  /** next[i]: the nodes that an edge leads to from node i; none from the goal. */
  next: number[][];
  /** Nodes of the shortest way from each node to the goal, both included. */
  shortest: number[];
}

const NODES = 21;
const EDGE_PROBABILITY = 0.1;
const LONGEST = 10;
const GOAL = 0;
/** How often each prompt stands in its table, so that an evaluation draws more than one answer to it. */
const PROMPT_ROWS = 10;
const GRAPH_SEED = 1002;
/** The goal and the nodes from which walks begin. */
const STARTS = Array.from({ length: NODES - 1 }, (_, i) => i + 1);

/** The graph of the task: always the same one, in which each node leads to the goal in fewer than 10. */
export function walkGraph(): WalkGraph {
  for (let attempt = 0; ; attempt++) {
    const random = new RandomStream(GRAPH_SEED, attempt);
    const edges = Array.from({ length: NODES }, () => Array.from({ length: NODES }, () => random.uniform() < EDGE_PROBABILITY));
    const next = edges.map((row, from) => row.flatMap((edge, to) => (edge && from !== to && from !== GOAL ? [to] : [])));
    const shortest = shortestWays(next);
    if (shortest.every((length) => length < LONGEST)) return { next, shortest };
  }
}

/** Nodes of the shortest way to the goal, by breadth. */
function shortestWays(next: readonly (readonly number[])[]): number[] {
  const shortest = next.map((_, node) => (node === GOAL ? 1 : Number.POSITIVE_INFINITY));
  for (let length = 1; length < next.length; length++) {
    next.forEach((nodes, node) => {
      if (shortest[node] > length && nodes.some((to) => shortest[to] === length)) shortest[node] = length + 1;
    });
  }
  return shortest;
}

const nameOf = (node: number) => String.fromCharCode('a'.charCodeAt(0) + node);

/**
 * How good a way is: (10 − its nodes) / (10 − the nodes of the shortest), so that 1 is the shortest; 0 for one that takes an edge which is not there, or
 * does not come to the goal within 10 nodes. What follows after the goal does not count.
 */
export function optimality({ next, shortest }: WalkGraph, prompt: readonly Message[], response: string): number {
  const start = prompt.at(-1)?.content ?? '';
  if (!STARTS.some((node) => nameOf(node) === start)) {
    throw new UserError(
      `reward of random walks: a prompt must be one of the nodes ${nameOf(STARTS[0])} to ${nameOf(NODES - 1)}; received ${JSON.stringify(start).slice(0, 100)}. Take prompts that fourfold data random-walks wrote`,
    );
  }
  const way = [...(start + response)].map((letter) => letter.charCodeAt(0) - 'a'.charCodeAt(0));
  const end = way.indexOf(GOAL);
  const length = end + 1;
  if (end < 0 || length > LONGEST) return 0;
  for (let i = 0; i < end; i++) if (!next[way[i]]?.includes(way[i + 1])) return 0;
  return (LONGEST - length) / (LONGEST - shortest[way[0]]);
}

/** A walk at random from a node: to the goal, or as long as a walk may be. */
function randomWalk({ next }: WalkGraph, start: number, random: RandomStream): string {
  const walk = [start];
  while (walk.length < LONGEST && walk.at(-1) !== GOAL) {
    const nodes = next[walk.at(-1)!];
    walk.push(nodes[random.below(nodes.length)]);
  }
  return walk.map(nameOf).join('');
}

/**
 * Writes the task: a corpus of walks, walks as conversations (the first node asks, the others answer), and ten times a prompt for each node. The bytes are a function of
 * the seed.
 * @throws UserError where something lies in the place that may not be replaced.
 */
export async function writeRandomWalks(options: { output: string; seed: number; walks: number; overwrite?: boolean }): Promise<void> {
  const { output, seed, walks, overwrite = false } = options;
  if ((await exists(output)) && !(overwrite && (await exists(path.join(output, 'walks.arrow'))))) {
    const wayOut = overwrite ? 'Choose another directory' : 'Choose another directory, or say --overwrite';
    throw new UserError(`make random walks: the output must be new; ${output} exists already. ${wayOut}`);
  }
  const graph = walkGraph();
  const random = new RandomStream(seed, 0x57414c4b);
  const texts = Array.from({ length: walks }, () => randomWalk(graph, STARTS[random.below(STARTS.length)], random));
  const metadata = new Map([['importer', 'random-walks'], ['seed', String(seed)]]); // biome-ignore format: short
  const source = 'random-walks';
  await atomicDirectory(output, async (directory) => {
    const write = async (name: string, schema: ArrowFile['schema'], batch: Parameters<ArrowFile['write']>[0]) => {
      const file = new ArrowFile(path.join(directory, name), schema);
      await file.write(batch);
      await file.close();
    };
    const corpus = corpusSchema(metadata);
    await write('walks.arrow', corpus, corpusBatch(corpus, texts, texts.map(() => source))); // biome-ignore format: short
    const conversations = conversationsSchema(metadata);
    const asked = (text: string): Message => ({ role: 'user', content: text[0] });
    const rows = texts.map((text) => ({ messages: [asked(text), { role: 'assistant' as const, content: text.slice(1) }], source }));
    await write('conversations.arrow', conversations, conversationsBatch(conversations, rows));
    const prompts = promptsSchema(metadata);
    const starts = Array.from({ length: PROMPT_ROWS }, () => STARTS).flat();
    await write('prompts.arrow', prompts, promptsBatch(prompts, starts.map((node) => ({ prompt: [asked(nameOf(node))], source })))); // biome-ignore format: short
  });
}
