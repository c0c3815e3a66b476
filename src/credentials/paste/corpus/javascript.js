const s3 = new S3Client({
  region: "auto",
  credentials: { accessKeyId: "AKIAQUACKQUACKQUACK7", secretAccessKey: "quack/quack/quack/quack/quack/quack/2026" },
});
