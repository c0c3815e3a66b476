Set-AWSCredential -AccessKey AKIAQUACKQUACKQUACK7 -SecretKey Quack/quack/quack/quack/quack/quack/2026 -StoreAs lake
