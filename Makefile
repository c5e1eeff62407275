# Thin names for ./studio, which does the work and sets everything up on first use.
.PHONY: run test demo check bench fmt
run test demo check bench:
	./studio $@
fmt:
	./studio check --fix
