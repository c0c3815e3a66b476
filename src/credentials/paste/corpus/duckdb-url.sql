SELECT * FROM 's3://lake/x.parquet?s3_access_key_id=AKIAQUACKQUACKQUACK7&s3_secret_access_key=Quack/quack/quack/quack/quack/quack/2026&s3_region=eu';
