kubectl create secret generic lake \
  --from-literal=access-key-id=AKIAQUACKQUACKQUACK7 \
  --from-literal=secret-access-key='quack/quack/quack/quack/quack/quack/2026'
