"""Feast on the same files: materialize, online reads, a point-in-time join. One JSON object on standard output.

Usage: feast_peer.py <folder> <rows.parquet> <labels.parquet> <reads>
"""
import contextlib
import json
import logging
import os
import resource
import sys
import time
import warnings

import pandas
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Int32

warnings.filterwarnings('ignore')
logging.disable(logging.CRITICAL)

folder, rows, labels, reads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
FEATURES = ['stats:delay', 'stats:distance']

with open(os.path.join(folder, 'feature_store.yaml'), 'w') as config:
    config.write(
        'project: peers\nprovider: local\nregistry: registry.db\n'
        'online_store: { type: sqlite, path: online.db }\n'
        'offline_store: { type: duckdb }\nentity_key_serialization_version: 3\n'
    )


def timed(work):
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def percentiles(work, count):
    for i in range(50):
        work(i)
    times = sorted(timed(lambda: work(i))[1] * 1e6 for i in range(count))
    return [round(times[int(count * part)], 1) for part in (0.5, 0.99)]


with contextlib.redirect_stdout(sys.stderr):
    store = FeatureStore(folder)
    airport = Entity(name='airport', join_keys=['origin'], value_type=ValueType.STRING)
    source = FileSource(path=rows, timestamp_field='date')
    view = FeatureView(
        name='stats',
        entities=[airport],
        schema=[Field(name='delay', dtype=Int32), Field(name='distance', dtype=Int32)],
        source=source,
        ttl=None,
    )
    store.apply([airport, view])
    start, end = pandas.Timestamp('2001-01-01', tz='UTC'), pandas.Timestamp('2001-07-02', tz='UTC')
    _, materialize_s = timed(lambda: store.materialize(start, end))

    entity_df = pandas.read_parquet(labels)
    joined, join_s = timed(
        lambda: store.get_historical_features(entity_df=entity_df, features=FEATURES).to_df()
    )
    airports = sorted(entity_df['origin'].unique())

    def read(count):
        def work(i):
            return store.get_online_features(
                features=FEATURES,
                entity_rows=[{'origin': airports[(i + k) % len(airports)]} for k in range(count)],
            ).to_dict()

        return work

    one, hundred = percentiles(read(1), reads), percentiles(read(100), reads // 10)
    answer = read(200)(0)

print(
    json.dumps(
        dict(
            materializeSeconds=materialize_s,
            joinSeconds=join_s,
            joinRssMb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            matches=int(joined['delay'].notna().sum()),
            sum=int(joined['delay'].sum() + joined['distance'].sum()),
            onlineOne=one,
            onlineHundred=hundred,
            onlineSum=int(sum(answer['delay']) + sum(answer['distance'])),
        )
    )
)
