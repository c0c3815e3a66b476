curl --aws-sigv4 "aws:amz:eu-central-1:s3" --user "AKIAQUACKQUACKQUACK7:Quack/quack/quack/quack/quack/quack/2026" https://s3.example.com
