// The native test program: dk_tests [-ts=SUITE] [-tc=CASE]. Figures of independent origin lie in tests/golden/.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "doctest/doctest.h"
