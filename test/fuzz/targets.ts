import type { OpenTarget } from './target.js';

/** What is fuzzed, and its part of the cases. */
export const targets: Record<string, { open: OpenTarget; part: number }> = {
  tokenizer: { open: async (folder) => (await import('./tokenizer-target.js')).tokenizerTarget(folder), part: 0.25 },
  corpus: { open: async (folder) => (await import('./arrow-target.js')).corpusTarget(folder), part: 0.15 },
  tokens: { open: async (folder) => (await import('./arrow-target.js')).tokensTarget(folder), part: 0.08 },
  dataset: { open: async (folder) => (await import('./arrow-target.js')).datasetTarget(folder), part: 0.02 },
  jsonl: { open: async (folder) => (await import('./import-target.js')).jsonlTarget(folder), part: 0.15 },
  json: { open: async (folder) => (await import('./import-target.js')).jsonTarget(folder), part: 0.1 },
  config: { open: async (folder) => (await import('./config-target.js')).configTarget(folder), part: 0.25 },
};
