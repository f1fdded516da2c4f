import type { OpenTarget } from './target.js';

type ImportTarget = keyof typeof import('./import-target.js');
const importing = (name: ImportTarget): OpenTarget => {
  return async (folder) => (await import('./import-target.js'))[name](folder);
};

type ChatTarget = keyof typeof import('./chat-target.js');
const chatting = (name: ChatTarget): OpenTarget => {
  return async (folder) => (await import('./chat-target.js'))[name](folder);
};

/** What is fuzzed, and its part of the cases. */
export const targets: Record<string, { open: OpenTarget; part: number }> = {
  tokenizer: { open: async (folder) => (await import('./tokenizer-target.js')).tokenizerTarget(folder), part: 25 },
  config: { open: async (folder) => (await import('./config-target.js')).configTarget(folder), part: 25 },
  corpus: { open: async (folder) => (await import('./arrow-target.js')).corpusTarget(folder), part: 13 },
  tokens: { open: async (folder) => (await import('./arrow-target.js')).tokensTarget(folder), part: 10 },
  dataset: { open: async (folder) => (await import('./arrow-target.js')).datasetTarget(folder), part: 2 },
  jsonl: { open: importing('jsonlTarget'), part: 15 },
  json: { open: importing('jsonTarget'), part: 10 },
  qa: { open: importing('qaTarget'), part: 2 },
  chats: { open: chatting('chatsTarget'), part: 6 },
  chatcsv: { open: chatting('chatCsvTarget'), part: 1 },
  chatparquet: { open: chatting('chatParquetTarget'), part: 2 },
  chatarrow: { open: chatting('chatArrowTarget'), part: 2 },
  csv: { open: importing('csvTarget'), part: 2 },
  parquet: { open: importing('parquetTarget'), part: 2 },
  arrow: { open: importing('arrowRowsTarget'), part: 2 },
  text: { open: importing('textTarget'), part: 1 },
  gzip: { open: importing('gzipTarget'), part: 2 },
  zstd: { open: importing('zstdTarget'), part: 2 },
  markdown: { open: importing('markdownTarget'), part: 1 },
  html: { open: importing('htmlTarget'), part: 1 },
  epub: { open: importing('epubTarget'), part: 2 },
  posts: { open: importing('postsTarget'), part: 1 },
};
