"""Quix Streams' side: count and mean of each hour and airport, state in RocksDB.

Usage: quix_peer.py <folder> <broker> <topic> <rows>
Prints one JSON object on standard output. The time is from the first row to the last: without the start.
"""
import contextlib
import json
import os
import resource
import sys
import time

from quixstreams import Application
from quixstreams.dataframe.windows import Count, Mean

folder, broker, topic_name, rows = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
HOUR_MS = 3_600_000
GIVE_UP_SECONDS = 240

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
    seen = dict(rows=0, windows=0, counted=0, delay=0.0)
    times = []

    def note_window(window):
        seen['windows'] += 1
        seen['counted'] += window['count']
        seen['delay'] += window['mean'] * window['count']

    def note_row(_):
        seen['rows'] += 1
        if seen['rows'] in (1, rows):
            times.append(time.perf_counter())
        if seen['rows'] == rows:
            app.stop()

    frame = app.dataframe(topic)
    windows = frame.tumbling_window(duration_ms=HOUR_MS).agg(count=Count(), mean=Mean('delay'))
    windows.final(closing_strategy='partition').update(note_window)
    frame.update(note_row)
    app.run(timeout=GIVE_UP_SECONDS)

print(
    json.dumps(
        dict(
            seconds=times[1] - times[0],
            rssMb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            answer=[seen['windows'], seen['counted'], round(seen['delay'])],
        )
    )
)
