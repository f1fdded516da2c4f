"""Reads event files with TensorBoard's own reader: python test/oracles/tensorboard_events.py DIRECTORY prints {tag: [[step, value], …]} as JSON.

`frame HEX` prints the TFRecord frame of the bytes, as TensorBoard writes it.
Needs tensorboard.
"""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer.record_writer import RecordWriter

if __name__ == "__main__":
    if sys.argv[1] == "frame":
        import io

        out = io.BytesIO()
        RecordWriter(out).write(bytes.fromhex(sys.argv[2]))
        print(out.getvalue().hex())
    else:
        events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
        events.Reload()
        tags = events.Tags()
        print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in tags["scalars"]}))
