'credentials' => [
    'key'    => 'AKIAQUACKQUACKQUACK7',
    'secret' => 'Quack/quack/quack/quack/quack/quack/2026',
],
