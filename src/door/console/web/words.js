// Words of DuckDB's SQL, from `duckdb_keywords()` and `duckdb_types()`. No DOM.

/** Words that need quotes as the name of a table or column. */
export const RESERVED = `all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
  default deferrable desc describe distinct do else end except false fetch for foreign from group having in
  initially intersect into lambda lateral leading limit not null offset on only or order pivot pivot_longer
  pivot_wider placing primary qualify references returning select show some summarize symmetric table then to
  trailing true union unique unpivot using variadic when where window with anti asof at authorization binary by
  collation columns concurrently cross freeze full generated glob ilike inner is isnull join left like map
  natural notnull outer overlaps positional right semi similar struct tablesample try_cast unpack verbose`;

/** Other words that are shown as keywords. */
export const KEYWORDS = `abort alter analyze attach begin call checkpoint  commit copy create cube  deallocate delete
  detach drop exclude execute explain export extension filter  following force  if import 
  insert install  load macro materialized merge  of over partition pragma preceding prepare 
  recursive rename replace reset respect returns rollback rollup   schema secret sequence set sets
  stored temp temporary transaction truncate  unbounded update use vacuum values view virtual within without
  between coalesce exists extract grouping none nullif overlay  setof  treat trim values`;

export const TYPES = `array bigint bignum binary bit bitstring blob bool boolean bpchar bytea char date datetime dec decimal double
  enum float float4 float8 geometry guid hugeint int int1 int128 int16 int2 int32 int4 int64 int8 integer
  integral interval json list logical long map null numeric nvarchar oid real row short signed smallint string
  struct text time time with time zone time_ns timestamp timestamp with time zone timestamp_ms timestamp_ns
  timestamp_s timestamp_us timestamptz timetz tinyint ubigint uhugeint uint128 uint16 uint32 uint64 uint8
  uinteger union usmallint utinyint uuid varbinary varchar variant varint`;
