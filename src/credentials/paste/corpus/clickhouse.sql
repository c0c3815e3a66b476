SELECT * FROM s3('https://s3.example.com/lake/*.parquet', 'AKIAQUACKQUACKQUACK7', 'Quack/quack/quack/quack/quack/quack/2026', 'Parquet')
