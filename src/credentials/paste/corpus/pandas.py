df = pd.read_parquet("s3://lake/t.parquet", storage_options={"key": "AKIAQUACKQUACKQUACK7", "secret": "Quack/quack/quack/quack/quack/quack/2026"})
