AWS_ACCESS_KEY_ID: str = "AKIAQUACKQUACKQUACK7"
AWS_SECRET_ACCESS_KEY: str = "Quack/quack/quack/quack/quack/quack/2026"
