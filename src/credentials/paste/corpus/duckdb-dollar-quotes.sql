CREATE SECRET s (TYPE s3, KEY_ID $$AKIAQUACKQUACKQUACK7$$, SECRET $$Quack/quack/quack/quack/quack/quack/2026$$);
