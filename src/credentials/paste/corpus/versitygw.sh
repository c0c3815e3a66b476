ROOT_ACCESS_KEY=ana ROOT_SECRET_KEY=lake-secret-2026 ./versitygw posix /data
