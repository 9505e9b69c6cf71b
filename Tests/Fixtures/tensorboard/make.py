"""Writes golden.tfevents from metrics.jsonl with TensorBoard's own writer: pip install tensorboard==2.20.0."""

import json
import pathlib

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

folder = pathlib.Path(__file__).parent
with open(folder / "golden.tfevents", "wb") as file:
    writer = RecordWriter(file)
    writer.write(Event(file_version="brain.Event:2").SerializeToString())
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        row.pop("stage")
        step = row.pop("step")
        values = [
            Summary.Value(tag=tag, simple_value=value)
            for tag, value in sorted(row.items())
            if value is not None
        ]
        event = Event(wall_time=step, step=step, summary=Summary(value=values))
        writer.write(event.SerializeToString())
