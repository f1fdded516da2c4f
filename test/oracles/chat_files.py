"""Conversations and preferences in Parquet and Arrow as other programs write them, for the tests of importing. Needs pyarrow.

    python test/oracles/chat_files.py test/datasets/fixtures/chats
    python test/oracles/chat_files.py test/datasets/fixtures/preferences
"""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

folder = Path(sys.argv[1])
for name, rows in json.loads((folder / "rows.json").read_text()).items():
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, folder / f"{name}.parquet", compression="snappy", row_group_size=1)
    with pa.OSFile(str(folder / f"{name}.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:  # as Hugging Face datasets does
        for batch in table.to_batches(max_chunksize=1):
            writer.write_batch(batch)
