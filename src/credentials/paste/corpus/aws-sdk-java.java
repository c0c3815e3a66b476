AwsBasicCredentials credentials = AwsBasicCredentials.create("AKIAQUACKQUACKQUACK7", "Quack/quack/quack/quack/quack/quack/2026");
