"""Feast's side: one cell, run in a process of its own. Prints one JSON object on standard output.

Usage: feast_peer.py <cell> <folder> <inputs>
The folder keeps the online store from cell to cell, as on Freshet's side.
"""
import contextlib
import json
import logging
import os
import resource
import sys
import time
import warnings
from datetime import timedelta

import pandas
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Int32

warnings.filterwarnings('ignore')
logging.disable(logging.CRITICAL)

CONFIG = """
project: peers
provider: local
registry: registry.db
online_store: { type: sqlite, path: online.db }
offline_store: { type: duckdb }
entity_key_serialization_version: 3
"""
# As on the other side: times as many runs as are counted.
WARM_UP_OF = 3
cell, folder, inputs = sys.argv[1], sys.argv[2], sys.argv[3]


def open_store():
    with open(os.path.join(folder, 'feature_store.yaml'), 'w') as config:
        config.write(CONFIG)
    store = FeatureStore(folder)
    airport = Entity(name='airport', join_keys=['origin'], value_type=ValueType.STRING)
    flight = Entity(name='flight', join_keys=['flight_id'], value_type=ValueType.INT64)
    rows, flights = (
        FileSource(name=name, path=os.path.join(inputs, f'{name}.parquet'), timestamp_field='date')
        for name in ('rows', 'flights')
    )

    def view(name, entity, source, ttl=None):
        fields = [Field(name='delay', dtype=Int32), Field(name='distance', dtype=Int32)]
        return FeatureView(name=name, entities=[entity], schema=fields, source=source, ttl=ttl)

    views = [
        view('stats', airport, rows),
        view('recent', airport, rows, timedelta(hours=12)),
        view('legs', flight, flights),
    ]
    store.apply([airport, flight, *views])
    return store


def timed(work):
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def percentiles(work, count):
    for i in range(count * WARM_UP_OF):
        work(i)
    micros = sorted(timed(lambda: work(i))[1] * 1e6 for i in range(count))
    return [micros[int(count * 0.5)], micros[int(count * 0.99)]]


def materialize(store, view):
    start, end = (pandas.Timestamp(day, tz='UTC') for day in ('2001-01-01', '2001-07-02'))
    _, seconds = timed(lambda: store.materialize(start, end, feature_views=[view]))
    return dict(seconds=seconds, answer=[])


def join_labels(store, view, labels):
    entity_df = pandas.read_parquet(os.path.join(inputs, labels))
    features = [f'{view}:delay', f'{view}:distance']
    joined, seconds = timed(
        lambda: store.get_historical_features(entity_df=entity_df, features=features).to_df()
    )
    total = int(joined['delay'].sum() + joined['distance'].sum())
    return dict(seconds=seconds, answer=[int(joined['delay'].notna().sum()), total])


def read_online(store):
    with open(os.path.join(inputs, 'airports.json')) as file:
        airports = json.load(file)

    def read(count):
        return lambda i: store.get_online_features(
            features=['stats:delay', 'stats:distance'],
            entity_rows=[{'origin': airports[(i + k) % len(airports)]} for k in range(count)],
        ).to_dict()

    one, hundred = percentiles(read(1), 2_000), percentiles(read(100), 500)
    answer = read(len(airports))(0)
    return dict(one=one, hundred=hundred, answer=[sum(answer['delay']) + sum(answer['distance'])])


CELLS = {
    'materialize': lambda store: materialize(store, 'stats'),
    'materialize-many': lambda store: materialize(store, 'legs'),
    'join': lambda store: join_labels(store, 'stats', 'labels.parquet'),
    'join-ttl': lambda store: join_labels(store, 'recent', 'labels-many.parquet'),
    'online': read_online,
}

with contextlib.redirect_stdout(sys.stderr):
    result = CELLS[cell](open_store())
result['rssMb'] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(json.dumps(result))
