# oneDNN, the convolutions of the CPU back end: target onednn::onednn. Looked for under DK_ONEDNN_ROOT (the prefix that
# `pip install onednn-devel-cpu-gomp` filled), then in the usual places. Pin and licence: README.md beside this file.
find_path(ONEDNN_INCLUDE dnnl.hpp HINTS "${DK_ONEDNN_ROOT}/include")
find_library(ONEDNN_LIBRARY NAMES dnnl HINTS "${DK_ONEDNN_ROOT}/lib")
if(ONEDNN_INCLUDE AND EXISTS "${ONEDNN_INCLUDE}/oneapi/dnnl/dnnl_version.h")
  file(STRINGS "${ONEDNN_INCLUDE}/oneapi/dnnl/dnnl_version.h" ONEDNN_VERSION_LINES REGEX "#define DNNL_VERSION_(MAJOR|MINOR|PATCH)")
  string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCH ([0-9]+).*" "\\1.\\2.\\3" oneDNN_VERSION "${ONEDNN_VERSION_LINES}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(oneDNN REQUIRED_VARS ONEDNN_LIBRARY ONEDNN_INCLUDE VERSION_VAR oneDNN_VERSION HANDLE_VERSION_RANGE
  REASON_FAILURE_MESSAGE "install it with `pip install onednn-devel-cpu-gomp==2023.2.0` and pass -DDK_ONEDNN_ROOT=<that environment>")
if(oneDNN_FOUND AND NOT TARGET onednn::onednn)
  add_library(onednn::onednn UNKNOWN IMPORTED)
  set_target_properties(onednn::onednn PROPERTIES IMPORTED_LOCATION "${ONEDNN_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${ONEDNN_INCLUDE}")
endif()
mark_as_advanced(ONEDNN_INCLUDE ONEDNN_LIBRARY)
