docker run -e AWS_ACCESS_KEY_ID=AKIAQUACKQUACKQUACK7 \
  -e AWS_SECRET_ACCESS_KEY=quack/quack/quack/quack/quack/quack/2026 \
  -e AWS_REGION=eu-central-1 -it lake
