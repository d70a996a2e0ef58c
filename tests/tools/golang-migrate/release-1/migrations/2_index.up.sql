@index@;
