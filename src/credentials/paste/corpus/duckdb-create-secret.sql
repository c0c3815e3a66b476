CREATE OR REPLACE SECRET lake (
    TYPE s3,
    PROVIDER config,
    KEY_ID 'AKIAQUACKQUACKQUACK7',
    SECRET 'quack/quack/quack/quack/quack/quack/2026',
    REGION 'eu-central-1'
);
