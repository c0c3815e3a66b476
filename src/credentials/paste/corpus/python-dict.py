dict(aws_access_key_id='quackQUACK2026quack7',aws_secret_access_key='quack2026/QUACK+quack/quack/quack/quackQ',aws_session_token=None,region_name=None)
