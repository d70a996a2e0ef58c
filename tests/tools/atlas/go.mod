module agtool.example/shop-migrate

go 1.26

require (
	ariga.io/atlas v0.32.1-0.20250325101103-175b25e1c1b9
	github.com/go-sql-driver/mysql v1.9.3
	github.com/lib/pq v1.10.9
)
