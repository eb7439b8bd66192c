# Each target installs what it lacks (Debian, Ubuntu; as root or with sudo) and keeps it in .cache.
PYTHON ?= python3
TARGETS := demo demo-down test test-all test-arm64 venv lint unit mutations sanity build galaxy docs modules hosts \
  molecule bare bridge esp32 load alerting telemetry commands browser bootstrap growth regrowth guard shapes faults roll pages pythons releases bench

.PHONY: help $(TARGETS)

help:
	@echo 'make demo       a gateway on a stand-in for a Raspberry Pi, in Docker'
	@echo 'make demo-down  remove it'
	@echo 'make test       what must hold before a change goes in: one Pi from bare to proven, and the part that was changed most'
	@echo 'make test-all   everything'
	@echo 'make test-arm64 one Pi with an emulated processor of a Pi'
	@echo 'make bench      how fast it is, and how much it writes, beside stock settings'
	@echo 'make mutations  each refusal and check taken out, one at a time: a test must notice'
	@echo 'make galaxy     what Galaxy would say to the collection, by its own importer'
	@echo 'make docs       the documentation as a site, in .cache/docs'
	@echo 'make pages      every command of README.md and docs/, typed in order on a fresh host'
	@echo 'make pythons    unit and modules on each other Python from 3.10 on that is here'
	@echo 'make releases   bare hosts by the oldest and the newest ansible-core, of Debian 12 and 13'
	@echo 'make venv lint unit sanity build modules hosts molecule bare bridge esp32 load alerting telemetry commands browser bootstrap growth regrowth guard shapes faults roll   one part of it'

OLD := Python 3.10 or later is needed; make PYTHON=python3.12 ... names another

$(TARGETS):
	@$(PYTHON) -c 'import sys; sys.exit("$(OLD)" if sys.version_info < (3, 10) else 0)'
	@$(PYTHON) -m tests.run $@
