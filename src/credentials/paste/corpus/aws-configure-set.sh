aws configure set aws_access_key_id AKIAQUACKQUACKQUACK7 --profile lake
aws configure set aws_secret_access_key quack/quack/quack/quack/quack/quack/2026 --profile lake
aws configure set region eu-central-1 --profile lake
