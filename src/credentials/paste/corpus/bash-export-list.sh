export AWS_ACCESS_KEY_ID=AKIAQUACKQUACKQUACK7 AWS_SECRET_ACCESS_KEY=quack/quack/quack/quack/quack/quack/2026 AWS_REGION=eu; env | grep AWS
