"""Creates tables with another writer than DuckDB: fill.py PROPERTIES TABLES

PROPERTIES are those of the catalog, and TABLES has the levels of each table's name. Both are JSON. Namespaces
may exist already."""

import json
import sys

import pyarrow
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.io import fsspec
from pyiceberg.io.pyarrow import PyArrowFileIO

# Nessie's answers ask for this implementation, which needs more packages.
fsspec.FsspecFileIO = PyArrowFileIO

properties, tables = (json.loads(argument) for argument in sys.argv[1:])
catalog = RestCatalog("lake", **properties)
grams = pyarrow.field("grams", pyarrow.int64(), metadata={"doc": "weight of the bird"})
schema = pyarrow.schema([pyarrow.field("name", pyarrow.string()), grams])
ducks = pyarrow.table({"name": ["mallard", "teal"], "grams": [1100, 330]}, schema=schema)
for *levels, table in tables:
    for depth in range(len(levels)):
        catalog.create_namespace_if_not_exists(tuple(levels[: depth + 1]))
    catalog.create_table((*levels, table), schema=ducks.schema).append(ducks)
