"""The built site, in a real browser. `make docs` runs these tests; `make test` leaves them out."""
