"""The report of a load test: from ledger.json to findings, verdicts, a table and a page."""
