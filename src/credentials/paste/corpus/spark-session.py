spark.conf.set("fs.s3a.access.key", "AKIAQUACKQUACKQUACK7")
spark.conf.set("fs.s3a.secret.key", "quack/quack/quack/quack/quack/quack/2026")
