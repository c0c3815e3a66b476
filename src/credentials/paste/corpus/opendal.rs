let builder = S3::default().bucket("lake").access_key_id("AKIAQUACKQUACKQUACK7").secret_access_key("Quack/quack/quack/quack/quack/quack/2026");
