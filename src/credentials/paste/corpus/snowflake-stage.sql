CREATE STAGE lake URL='s3://lake/' CREDENTIALS=(AWS_KEY_ID='AKIAQUACKQUACKQUACK7' AWS_SECRET_KEY='quack/quack/quack/quack/quack/quack/2026');
