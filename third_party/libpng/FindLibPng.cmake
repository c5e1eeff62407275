# libpng, which decodes PNG: target PNG::PNG. CMake's own module finds it; here its version is checked.
# Pin and licence: README.md beside this file.
find_package(PNG QUIET)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibPng REQUIRED_VARS PNG_LIBRARIES PNG_INCLUDE_DIRS VERSION_VAR PNG_VERSION_STRING
  REASON_FAILURE_MESSAGE "install libpng's headers, e.g. `apt-get install libpng-dev`")
