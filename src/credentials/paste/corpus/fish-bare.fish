set -x AWS_ACCESS_KEY_ID AKIAQUACKQUACKQUACK7
set -x AWS_SECRET_ACCESS_KEY quack/quack/quack/quack/quack/quack/2026
set -x AWS_REGION eu-central-1
