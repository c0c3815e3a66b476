setenv AWS_ACCESS_KEY_ID AKIAQUACKQUACKQUACK7
setenv AWS_SECRET_ACCESS_KEY quack/quack/quack/quack/quack/quack/2026
setenv AWS_REGION eu-central-1
