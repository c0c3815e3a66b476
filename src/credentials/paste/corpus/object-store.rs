let s3 = AmazonS3Builder::new()
    .with_bucket_name("lake")
    .with_access_key_id("AKIAQUACKQUACKQUACK7")
    .with_secret_access_key("Quack/quack/quack/quack/quack/quack/2026")
    .build()?;
