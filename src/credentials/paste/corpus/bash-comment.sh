# lake keys of ana
export AWS_ACCESS_KEY_ID=AKIAQUACKQUACKQUACK7   # since May
export AWS_SECRET_ACCESS_KEY=quack/quack/quack/quack/quack/quack/2026
