os.environ['AWS_ACCESS_KEY_ID'] = 'AKIAQUACKQUACKQUACK7'
os.environ['AWS_SECRET_ACCESS_KEY'] = 'quack/quack/quack/quack/quack/quack/2026'
