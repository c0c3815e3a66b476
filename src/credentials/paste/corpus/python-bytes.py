access_key = b'AKIAQUACKQUACKQUACK7'
secret_key = b'Quack/quack/quack/quack/quack/quack/2026'
