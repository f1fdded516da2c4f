/** Imports until it is killed: `import-child.ts INPUT OUTPUT`. */
import { importCorpus } from '../../datasets/import.js';

const [input, output] = process.argv.slice(2);
await importCorpus({ paths: [input], output, document: 'line', overwrite: true });
