var client = new AmazonS3Client("AKIAQUACKQUACKQUACK7", "Quack/quack/quack/quack/quack/quack/2026", RegionEndpoint.EUCentral1);
