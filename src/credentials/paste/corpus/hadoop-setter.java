config.setAccessKey("AKIAQUACKQUACKQUACK7");
config.setSecretKey("Quack/quack/quack/quack/quack/quack/2026");
