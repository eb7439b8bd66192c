# Each target installs what it lacks (Debian, Ubuntu; as root or with sudo) and keeps it in .cache.
PYTHON ?= python3
TARGETS := demo demo-down test test-all venv lint unit mutations sanity build modules hosts molecule bare pages bench

.PHONY: help $(TARGETS)

help:
	@echo 'make demo       a gateway on a stand-in for a Raspberry Pi, in Docker'
	@echo 'make demo-down  remove it'
	@echo 'make test       everything that must hold before a change goes in'
	@echo 'make test-all   the same, with bare hosts, all Molecule scenarios and mutations'
	@echo 'make bench      how fast it is, and how much it writes, beside stock settings'
	@echo 'make mutations  each refusal and check taken out, one at a time: a test must notice'
	@echo 'make venv lint unit sanity build modules hosts molecule bare pages   one part of it'

OLD := Python 3.10 or later is needed; make PYTHON=python3.12 ... names another

$(TARGETS):
	@$(PYTHON) -c 'import sys; sys.exit("$(OLD)" if sys.version_info < (3, 10) else 0)'
	@$(PYTHON) -m tests.run $@
