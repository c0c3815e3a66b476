s3 = boto3.client(
    "s3",
    aws_access_key_id="AKIAQUACKQUACKQUACK7",
    aws_secret_access_key="quack/quack/quack/quack/quack/quack/2026",
    region_name="eu-central-1",
)
