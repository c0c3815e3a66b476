COPY t FROM 's3://lake/t' CREDENTIALS 'aws_access_key_id=AKIAQUACKQUACKQUACK7;aws_secret_access_key=quack/quack/quack/quack/quack/quack/2026' CSV;
