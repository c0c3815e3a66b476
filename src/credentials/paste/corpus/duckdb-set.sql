SET s3_region = 'eu-central-1';
SET s3_access_key_id = 'AKIAQUACKQUACKQUACK7';
SET s3_secret_access_key = 'quack/quack/quack/quack/quack/quack/2026';
