"""Arrow files as pyarrow writes them, for test/datasets/arrow.test.ts, and what it reads in them.

    python test/oracles/arrow_files.py test/datasets/fixtures/arrow
"""

import datetime
import decimal
import json
import sys
from pathlib import Path

import pyarrow as pa

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)


def write(name, table, options=None, new=pa.ipc.new_file):
    with new(folder / f"{name}.arrow", table.schema, options=options) as writer:
        for batch in table.to_batches(max_chunksize=3):
            writer.write_batch(batch)


corpus = {
    "text": pa.array(["one", "", "über ☕", "🙂 four", "five"], pa.utf8()),
    "source": pa.array(["a", "a", "b", "b", "b"], pa.utf8()),
}
write("corpus", pa.table(corpus).replace_schema_metadata({"importer": "test", "source_sha256": "0"}))
write("legacy", pa.table(corpus), pa.ipc.IpcWriteOptions(use_legacy_format=True, metadata_version=pa.ipc.MetadataVersion.V4))
write("compressed", pa.table(corpus), pa.ipc.IpcWriteOptions(compression="lz4"))
write("zstd", pa.table(corpus), pa.ipc.IpcWriteOptions(compression="zstd"))
write("stream", pa.table(corpus), new=pa.ipc.new_stream)
write("dictionary", pa.table({**corpus, "source": corpus["source"].dictionary_encode()}))
long = pa.array(["one", "", "über ☕ and more than twelve", None, "five"], pa.utf8())
write("views", pa.table({**corpus, "text": long.cast(pa.string_view())}))
write("map", pa.table({"text": pa.array([[("a", 1)], None, [("b", 2), ("c", None)]], pa.map_(pa.utf8(), pa.int32()))}))
write("union", pa.table({"text": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array(["a"])])}))
write("empty", pa.table({"text": pa.array([], pa.utf8()), "source": pa.array([], pa.utf8())}))

roles = pa.list_(pa.struct([("role", pa.utf8()), ("content", pa.utf8())]))
nested = pa.table(
    {
        "messages": pa.array([[{"role": "user", "content": "hi"}, {"role": "assistant", "content": None}], [], None, [{"role": "user", "content": "é"}]], roles),
        "ranks": pa.array([[1, 2], None, [], [3]], pa.list_(pa.int32())),
        "large": pa.array(["x", None, "yy", ""], pa.large_utf8()),
        "large_list": pa.array([[1.5], [], None, [2.5, -1]], pa.large_list(pa.float64())),
        "fixed_list": pa.array([[1, 2], None, [3, 4], [5, None]], pa.list_(pa.uint8(), 2)),
        "flag": pa.array([True, None, False, True]),
        "weight": pa.array([0.5, None, -1.0, 3.0], pa.float32()),
        "half": pa.array([0.5, 1.0, None, 2.0], pa.float32()).cast(pa.float16()),
        "small": pa.array([-1, 2, None, 127], pa.int8()),
        "big": pa.array([-(2**53) + 1, 2, None, 7], pa.int64()),
        "nothing": pa.nulls(4),
    }
)
write("nested", nested)
expected = nested.to_pylist()

moments = pa.table(
    {
        "day": pa.array([datetime.date(2020, 1, 2)], pa.date32()),
        "day64": pa.array([datetime.date(2020, 1, 2)], pa.date64()),
        "time": pa.array([1], pa.time32("ms")),
        "time64": pa.array([1], pa.time64("us")),
        "at": pa.array([datetime.datetime(2020, 1, 2)], pa.timestamp("us", "UTC")),
        "span": pa.array([5], pa.duration("ns")),
        "cost": pa.array([decimal.Decimal("1.25")], pa.decimal128(10, 2)),
        "interval": pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
        "binary": pa.array([b"\xff\x00"], pa.binary()),
        "large_binary": pa.array([b"\xff"], pa.large_binary()),
        "hash": pa.array([b"abcd"], pa.binary(4)),
    }
)
write("moments", moments)
(folder / "nested.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n")
