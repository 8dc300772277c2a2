"""Quix Streams on the same topic: count and mean of each hour and airport, state in RocksDB.

Usage: quix_peer.py <folder> <broker> <topic> <rows>
Prints one JSON object on standard output.
"""
import contextlib
import json
import os
import sys
import time

from quixstreams import Application
from quixstreams.dataframe.windows import Count, Mean

folder, broker, topic_name, rows = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])

with contextlib.redirect_stdout(sys.stderr):
    app = Application(
        broker_address=broker,
        consumer_group=f'quix-{os.getpid()}',
        auto_offset_reset='earliest',
        state_dir=folder,
        use_changelog_topics=False,
        loglevel='ERROR',
    )
    topic = app.topic(
        topic_name,
        key_deserializer='bytes',
        value_deserializer='json',
        timestamp_extractor=lambda value, headers, at, kind: value['at_ms'],
    )
    seen = dict(rows=0, windows=0, counted=0)
    times = []

    def note(_):
        if seen['rows'] == 0:
            times.append(time.perf_counter())
        seen['rows'] += 1
        if seen['rows'] == rows:
            times.append(time.perf_counter())

    def note_window(window):
        seen['windows'] += 1
        seen['counted'] += window['count']

    frame = app.dataframe(topic)
    frame = frame.update(note)
    frame = frame.tumbling_window(duration_ms=3_600_000).agg(count=Count(), mean=Mean('delay')).final()
    frame.update(note_window)
    app.run(count=rows, timeout=300)

print(json.dumps(dict(seconds=times[1] - times[0], windows=seen['windows'], counted=seen['counted'])))
