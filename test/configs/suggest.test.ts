import assert from 'node:assert/strict';
import { fieldsOf } from '../../configs/fields.js';
import { pretrainKeys } from '../../configs/keys.js';
import { closest, editDistance, suggestKey } from '../../configs/suggest.js';

describe('did you mean', () => {
  const keys = [...fieldsOf(pretrainKeys).keys()];

  it('counts edits; a swap of neighbours is one', () => {
    assert.equal(editDistance('kitten', 'sitting'), 3);
    assert.equal(editDistance('', 'abc'), 3);
    assert.equal(editDistance('recieve', 'receive'), 1);
  });

  it('finds the nearest word, and none that is far', () => {
    assert.equal(closest('greedi', ['greedy', 'sample']), 'greedy');
    assert.equal(closest('FP32', ['fp32', 'bf16']), 'fp32');
    assert.equal(closest('xyz', ['greedy', 'sample']), undefined);
  });

  it('finds a key by its typing error, at another level, and by its name elsewhere', () => {
    assert.equal(suggestKey('learnign_rate', keys), 'learning_rate');
    assert.equal(suggestKey('model.hiden_size', keys), 'model.hidden_size');
    assert.equal(suggestKey('dropout', keys), 'model.dropout');
    assert.equal(suggestKey('model.learning_rate', keys), 'learning_rate');
    assert.equal(suggestKey('hidden_sizes', keys), 'model.hidden_size');
    assert.equal(suggestKey('per_device_train_batch_size', keys), 'batch_size');
    assert.equal(suggestKey('constructor', keys), undefined);
    assert.equal(suggestKey('__proto__', keys), undefined);
  });
});
