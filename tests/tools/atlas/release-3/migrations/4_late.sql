@late@;
