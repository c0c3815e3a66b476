Aws.config.update(credentials: Aws::Credentials.new('AKIAQUACKQUACKQUACK7', 'Quack/quack/quack/quack/quack/quack/2026'))
