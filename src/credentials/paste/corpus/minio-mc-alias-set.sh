mc alias set lake https://minio.example.com QUACKquack2026QUACK0 quack2026QUACKquack+quack/quack2026QUACK
