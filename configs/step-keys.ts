import { z } from 'zod';
import { choice, choices, flag, fraction, number, pathOrPaths, text, weights, whole } from './fields.js';
import { pretrainKeys } from './keys.js';

/** The keys of the steps of a pipeline that are no stages: the same as the flags of their commands. */

const seed = (meaning: string) => whole(0, { meaning }).default(1337);
const threads = whole(1, { meaning: 'Threads to work with; the result is the same.', computed: 'one a processor' }).optional();
const error = 'must be a section of keys';
const evalFraction = fraction({ meaning: 'Part that is held out, by hash.' }).default(0.1);
const split = choice(['all', 'train', 'eval'], { meaning: 'Which rows: held out are those that training holds out by hash.' });
const limit = (what: string) => whole(1, { meaning: `The first ${what} only.`, computed: 'all' }).optional();
const template = text({
  meaning: 'Chat template: `chatml`, `llama3`, `alpaca`, `vicuna`, or a file of Jinja.',
  computed: "the checkpoint's own",
}).optional();
const checkpoint = text({ meaning: 'The model.', example: '${sft.checkpoint}' });
const { device, precision } = pretrainKeys.shape;
const computing = { device, precision, threads };

const vocabulary = {
  kind: choice(['bpe', 'char', 'word'], { meaning: 'Pieces of words, characters or words.' }).default('bpe'),
  vocab_size: whole(1, { meaning: 'Number of tokens (bpe, word).' }).default(4096),
  min_frequency: whole(1, { meaning: 'Leave out what is seen less often (bpe, word).' }).default(2),
  max_token_bytes: whole(1, { meaning: 'Longest token (bpe).', computed: 'none' }).optional(),
  special_tokens: flag({ meaning: 'Marks for beginning and end of a document and for roles (always, but for char).' }).default(true),
};

export const worldKeys = z.strictObject(
  {
    seed: seed('The same seed makes the same world.'),
    size: number('a number from 0.1 to 10', (size) => size >= 0.1 && size <= 10, {
      meaning: '1: about 2 M tokens of corpus, 50 universities.',
    }).default(1),
    languages: choices(['en', 'zh'], { meaning: 'Languages of the texts.' }).default(['en']),
  },
  { error },
);

export const tokenizerKeys = z.strictObject(
  {
    paths: pathOrPaths({ meaning: 'Corpora (.arrow), and all that `data import` reads.', example: '${world.corpus}' }),
    ...vocabulary,
    threads,
  },
  { error },
);

const FORMATS = [
  ...['text', 'markdown', 'book', 'html', 'code', 'jsonl', 'json', 'csv', 'parquet', 'arrow', 'qa'],
  ...['alpaca', 'sharegpt', 'moss', 'chatglm', 'messages', 'prompt_completion', 'prompts'],
  ...['chosen_rejected', 'hh_rlhf', 'sharegpt_dpo', 'rankings', 'solutions'],
] as const;

export const importKeys = z.strictObject(
  {
    paths: pathOrPaths({ meaning: 'Files, folders and patterns such as "docs/**/*.md".', example: 'my/texts' }),
    format: choice(FORMATS, { meaning: 'What the files are.', computed: 'by their endings, first bytes and columns' }).optional(),
    document: choice(['file', 'line', 'blank_line'], { meaning: 'Text: what a document is.', computed: '`file`' }).optional(),
    columns: text({
      meaning: 'Rows: which column holds what, such as `prompt=question,response=answer`.',
      computed: 'by their names',
    }).optional(),
    source: text({ meaning: "Name of the rows' source.", computed: 'of the file or folder' }).optional(),
    encoding: text({ meaning: 'What the text is where it is not UTF-8: `gb18030`, `latin1`, …', computed: 'utf-8' }).optional(),
  },
  { error },
);

export const cleanKeys = z.strictObject(
  {
    corpora: pathOrPaths({ meaning: 'Corpora.', example: '${import.table}' }),
    rules: z
      .array(z.string({ error: 'must be the name of a rule' }), { error: 'must be a list of rules' })
      .min(1, { error: 'must be a list of rules' })
      .meta({ meaning: 'Rules, in the order in which to run them (docs/cleaning.md lists them).', computed: 'the usual chain' })
      .optional(),
    parameters: z
      .record(z.string(), z.union([z.number(), z.boolean(), z.string()], { error: 'must be a number, true, false or text' }), {
        error: 'must be a section such as gopher_quality.min_words: 20',
      })
      .meta({ meaning: 'Parameters of rules, as `"gopher_quality.min_words": 20`.', computed: "the rules' own" })
      .optional(),
    against: pathOrPaths({ meaning: 'Evaluation sets: documents that share 13 words with them are dropped.', computed: 'none' }).optional(),
    threads,
  },
  { error },
);

export const prepareKeys = z.strictObject(
  {
    corpora: pathOrPaths({ meaning: 'Corpora.', example: '${world.corpus}' }),
    tokenizer: text({
      meaning: 'tokenizer.json, or a folder that holds one.',
      computed: 'one is trained on the training part',
      example: '${tokenizer.tokenizer}',
    }).optional(),
    ...vocabulary,
    allow_special: flag({ meaning: 'Read text that spells a special token as that token.' }).default(false),
    split: choice(['hash', 'tail'], { meaning: 'What is held out: documents by hash, or the end of the text.' }).default('hash'),
    eval_fraction: fraction({ meaning: 'Part that is held out.' }).default(0.1),
    mixture: weights({ meaning: 'Weight of each source in training; 0 leaves one out.', computed: 'none' }).optional(),
    seed: seed('Of the run, written down with the data.'),
    threads,
  },
  { error },
);

export const generateKeys = z.strictObject(
  {
    checkpoint,
    data: text({
      meaning: 'Prompts, or conversations, whose last answers are to be given anew.',
      example: '${world.prompts_rollout}',
    }),
    num: whole(1, { meaning: 'Answers to each prompt.' }).default(1),
    max_tokens: whole(1, { meaning: 'Longest answer, in tokens.' }).default(200),
    temperature: number('a number, 0 or more', (value) => value >= 0, { meaning: '0: always the likeliest token.' }).default(0.8),
    top_k: whole(0, { meaning: 'Choose among the k likeliest tokens; 0: among all.' }).default(0),
    top_p: number('a number above 0, 1 at most', (value) => value > 0 && value <= 1, {
      meaning: 'Choose among the likeliest tokens that make up p.',
    }).default(0.95),
    min_p: number('a number from 0 to 1', (value) => value >= 0 && value <= 1, {
      meaning: 'Leave out tokens below p times the likeliest.',
    }).default(0),
    repetition_penalty: number('a number above 0', (value) => value > 0, { meaning: 'Above 1: repeat less.' }).default(1),
    seed: seed('The same seed gives the same answers.'),
    system: text({ meaning: 'System prompt of the prompts that have none.', computed: 'none' }).optional(),
    template,
    split: split.default('all'),
    eval_fraction: evalFraction,
    limit: limit('n prompts'),
    overlong: choice(['error', 'drop'], { meaning: 'Prompts that fill the context: an error, or left out.' }).default('error'),
    batch_size: whole(1, { meaning: 'Answers made at the same time; they do not depend on it.' }).default(32),
    ...computing,
  },
  { error },
);

export const rankKeys = z.strictObject(
  {
    generations: text({ meaning: 'Answers to rank.', example: '${samples.generations}' }),
    annotator: text({
      meaning:
        "`simulated`: the built-in world's annotators; `gold`: its reward; `rm:CHECKPOINT`: a reward model. A person ranks with `data rank`.",
      example: 'simulated',
    }),
    world: text({
      meaning: 'The built-in world that the prompts are of (simulated, gold).',
      computed: 'none',
      example: '${world.directory}',
    }).optional(),
    seed: seed("Of simulated annotators' errors."),
    ...computing,
  },
  { error },
);

export const evalKeys = z.strictObject(
  {
    checkpoint,
    data: pathOrPaths({
      meaning: 'Conversations, corpora, prepared tokens; preferences for a reward model.',
      example: '${world.conversations}',
    }),
    split: split.default('eval'),
    eval_fraction: evalFraction,
    limit: limit('n rows'),
    template,
    train_on: choice(['assistant', 'last_assistant', 'all'], { meaning: 'Which tokens of conversations the loss is of.' }).default(
      'assistant',
    ),
    packing: choice(['segments', 'concat'], { meaning: 'How text becomes rows.' }).default('segments'),
    generate: flag({ meaning: 'Let the model answer, greedily, and count what is right.' }).default(false),
    max_tokens: whole(1, { meaning: 'Longest answer, in tokens.' }).default(200),
    batch_size: whole(1, { meaning: 'Answers made at the same time; they do not depend on it.' }).default(32),
    examples: whole(0, { meaning: 'Answers to keep.' }).default(3),
    ...computing,
  },
  { error },
);
