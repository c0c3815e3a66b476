radosgw-admin key create --uid=ana --key-type=s3 --access-key AKIAQUACKQUACKQUACK7 --secret-key quack/quack/quack/quack/quack/quack/2026
