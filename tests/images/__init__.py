"""Images of applications that are not agtool's: other languages, other C libraries, no shell.

root: what Debian's packages make of a folder; applications: what is in each image, and how it
migrates; scenario: what each goes through on the cluster. A small part is tried by `make test`
(tests/e2e/migrate_once/pods), all of them by `make images`.
"""
