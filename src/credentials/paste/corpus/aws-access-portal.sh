export AWS_ACCESS_KEY_ID="ASIAQUACKQUACKQUACK7"
export AWS_SECRET_ACCESS_KEY="quack/quack/quack/quack/quack/quack/2026"
export AWS_SESSION_TOKEN="IQoJquackQUACK//////////wEaCXF1YWNr+quack/2026=="
