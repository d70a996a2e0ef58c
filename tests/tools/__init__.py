"""The tools that people upgrade their schemas with, as they are, under agtool.

`make tools` installs them into the cache and runs these tests; nothing else collects them. Read
`scenario.py` first: what every tool goes through. A tool is a folder here and a page of the same
name in docs/how-to/migration-tools, whose lines the tests run. In its folder are

- what installs it: `requirements.txt`, `go.mod`, `package-lock.json`, `pom.xml` or `packages.txt`,
  with a `pom.xml` the class that starts the tool in `main-class.txt`,
- `project`: the application's files, `project-postgresql` and `project-mysql`: what is different on
  one of them, and `release-1` to `release-3`: what each release adds,
- `test_*.py`: the scenario, and what only this tool has.
"""
