Set-Item -Path Env:AWS_ACCESS_KEY_ID -Value 'AKIAQUACKQUACKQUACK7'
Set-Item -Path Env:AWS_SECRET_ACCESS_KEY -Value 'Quack/quack/quack/quack/quack/quack/2026'
