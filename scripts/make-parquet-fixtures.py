"""Writes test/fixtures/parquet: the same six orders, as pandas, polars, DuckDB and Spark write them.

    python3 -m venv venv && venv/bin/pip install pandas pyarrow polars duckdb pyspark
    venv/bin/python scripts/make-parquet-fixtures.py
"""
import datetime as dt
import os
import shutil
from decimal import Decimal

import duckdb
import pandas
import polars

HERE = os.path.join(os.path.dirname(__file__), '..', 'test', 'fixtures', 'parquet')
UTC = dt.timezone.utc
ROWS = [
    dict(
        id=i,
        at=dt.datetime(2026, 1, 1 + i, 12, 30, 15, 123456, tzinfo=UTC),
        amount=Decimal(f'{i * 10}.25'),
        country='DE' if i % 2 else 'FR',
        note=None if i == 3 else f'order {i}',
        paid=i % 3 == 0,
        tags=['new', 'big'] if i % 2 else [],
        address=dict(city=f'city {i}', zip=10000 + i),
    )
    for i in range(1, 7)
]


def with_pandas():
    frame = pandas.DataFrame(ROWS)
    frame['at'] = pandas.to_datetime(frame['at'], utc=True).astype('datetime64[ns, UTC]')
    frame['at'] = frame['at'] + pandas.Timedelta(789, 'ns')
    frame['country'] = frame['country'].astype('category')
    frame.to_parquet(os.path.join(HERE, 'pandas.parquet'), row_group_size=4, index=False)


def with_polars():
    frame = polars.DataFrame(ROWS).with_columns(
        polars.col('at').dt.convert_time_zone('Europe/Berlin'),
        polars.col('country').cast(polars.Categorical),
        polars.col('id').cast(polars.UInt32),
        polars.col('amount').cast(polars.Decimal(12, 2)),
    )
    frame.write_parquet(os.path.join(HERE, 'polars.parquet'), row_group_size=4)


def with_duckdb():
    frame = pandas.DataFrame(ROWS)
    frame['at'] = pandas.to_datetime(frame['at'], utc=True)
    path = os.path.join(HERE, 'duckdb.parquet')
    duckdb.sql(
        f"""COPY (SELECT id::HUGEINT::BIGINT AS id, "at"::TIMESTAMPTZ AS "at", amount::DECIMAL(18, 2) AS amount,
        country, note, paid, tags, address FROM frame) TO '{path}' (FORMAT parquet)"""
    )


def with_spark():
    from pyspark.sql import SparkSession
    from pyspark.sql import types as t

    spark = (
        SparkSession.builder.master('local[1]')
        .config('spark.sql.session.timeZone', 'UTC')
        .config('spark.sql.parquet.outputTimestampType', 'INT96')
        .config('spark.ui.enabled', 'false')
        .getOrCreate()
    )
    schema = t.StructType([
        t.StructField('id', t.IntegerType()),
        t.StructField('at', t.TimestampType()),
        t.StructField('amount', t.DecimalType(12, 2)),
        t.StructField('country', t.StringType()),
        t.StructField('note', t.StringType()),
        t.StructField('paid', t.BooleanType()),
        t.StructField('tags', t.ArrayType(t.StringType())),
        t.StructField('address', t.StructType([
            t.StructField('city', t.StringType()),
            t.StructField('zip', t.LongType()),
        ])),
    ])
    folder = os.path.join(HERE, 'spark')
    frame = spark.createDataFrame(ROWS, schema)
    frame.coalesce(1).write.mode('overwrite').partitionBy('country').parquet(folder)
    spark.stop()
    for path, _, names in os.walk(folder):
        for name in names:
            if not name.endswith('.parquet'):
                os.remove(os.path.join(path, name))
    # A name that does not change from run to run.
    for country in ('DE', 'FR'):
        part = os.path.join(folder, f'country={country}')
        [name] = os.listdir(part)
        os.rename(os.path.join(part, name), os.path.join(part, 'part-00000.parquet'))


os.makedirs(HERE, exist_ok=True)
shutil.rmtree(os.path.join(HERE, 'spark'), ignore_errors=True)
os.environ['TZ'] = 'UTC'
with_pandas()
with_polars()
with_duckdb()
with_spark()
