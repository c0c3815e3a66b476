[Environment]::SetEnvironmentVariable("AWS_ACCESS_KEY_ID", "AKIAQUACKQUACKQUACK7", "User")
[Environment]::SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "quack/quack/quack/quack/quack/quack/2026", "User")
