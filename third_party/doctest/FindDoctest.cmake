# doctest, the header the native tests are written with: target doctest::doctest. Used by tests/native only, never by the
# product. Pin and licence: README.md beside this file.
find_path(DOCTEST_INCLUDE doctest/doctest.h)
if(DOCTEST_INCLUDE)
  file(STRINGS "${DOCTEST_INCLUDE}/doctest/doctest.h" DOCTEST_LINES REGEX "#define DOCTEST_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
  string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+).*" "\\1.\\2.\\3" Doctest_VERSION "${DOCTEST_LINES}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Doctest REQUIRED_VARS DOCTEST_INCLUDE VERSION_VAR Doctest_VERSION
  REASON_FAILURE_MESSAGE "install doctest's header, e.g. `apt-get install doctest-dev`")
if(Doctest_FOUND AND NOT TARGET doctest::doctest)
  add_library(doctest::doctest INTERFACE IMPORTED)
  set_target_properties(doctest::doctest PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${DOCTEST_INCLUDE}")
endif()
mark_as_advanced(DOCTEST_INCLUDE)
