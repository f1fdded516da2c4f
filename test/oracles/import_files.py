"""Files that other programs write, for the tests of importing. Needs pyarrow and zstandard.

    python test/oracles/import_files.py test/datasets/fixtures/import
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)

TEXTS = ["first", "zweiter Text: Größe", "模型 🎉", None, "the last\nof five"]
table = pa.table(
    {
        "id": pa.array(range(5), pa.int64()),
        "body": pa.array(TEXTS, pa.string()),
        "meta": pa.array([{"text": f"nested {i}", "n": i} for i in range(5)]),
        "tags": pa.array([["a"], [], ["b", "c"], None, ["d"]], pa.list_(pa.string())),
    }
)
for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    pq.write_table(table, folder / f"rows-{codec}.parquet", compression=codec, row_group_size=2, data_page_version="2.0" if codec == "zstd" else "1.0")
pq.write_table(pa.table({"text": pa.array([b"good", b"bad \xff", b"fine"], pa.binary())}), folder / "bytes.parquet")
answers = [
    [{"text": "low", "pm_score": 1, "selected": False}, {"text": "high", "pm_score": 9, "selected": False}, {"text": "best", "pm_score": 3, "selected": True}],
    [{"text": "only", "pm_score": 0, "selected": False}],
    [],
]
pq.write_table(pa.table({"qid": [1, 2, 3], "question": ["Q1?", "Q2?", "Q3?"], "answers": answers}), folder / "qa.parquet")

arrow = pa.table({"text": pa.array(TEXTS, pa.string()), "large": pa.array(TEXTS, pa.large_string()), "words": pa.array(TEXTS).dictionary_encode(), "n": range(5)})
with pa.OSFile(str(folder / "stream.arrow"), "wb") as sink, pa.ipc.new_stream(sink, arrow.schema) as writer:  # as Hugging Face datasets does
    for batch in arrow.to_batches(max_chunksize=2):
        writer.write_batch(batch)
with pa.OSFile(str(folder / "file.arrow"), "wb") as sink, pa.ipc.new_file(sink, arrow.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
    for batch in arrow.to_batches(max_chunksize=3):
        writer.write_batch(batch)

lines = "".join(f"line {i} 中文\n" for i in range(2000)).encode()
frames = [zstandard.ZstdCompressor(level=level, write_checksum=True).compress(part) for level, part in [(1, lines[:9000]), (19, lines[9000:])]]
(folder / "lines.txt.zst").write_bytes(b"".join(frames))
