$env.AWS_ACCESS_KEY_ID = "AKIAQUACKQUACKQUACK7"
$env.AWS_SECRET_ACCESS_KEY = "quack/quack/quack/quack/quack/quack/2026"
