"""Creates a table with another writer than DuckDB: fill.py CATALOG-URL S3-URL KEY-ID SECRET"""

import sys

import pyarrow
from pyiceberg.catalog.rest import RestCatalog

catalog, s3, key_id, secret = sys.argv[1:]
catalog = RestCatalog(
    "lake",
    uri=catalog,
    **{
        "s3.endpoint": s3,
        "s3.access-key-id": key_id,
        "s3.secret-access-key": secret,
        "s3.region": "us-east-1",
    },
)
ducks = pyarrow.table({"name": ["mallard", "teal"], "grams": [1100, 330]})
catalog.create_namespace("zoo")
catalog.create_table("zoo.ducks", schema=ducks.schema).append(ducks)
