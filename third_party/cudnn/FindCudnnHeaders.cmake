# cuDNN's headers, which the CUDA back end is compiled with (the library itself is opened at run time): target cudnn::headers.
# Looked for under DK_CUDNN_ROOT, then in the wheel nvidia-cudnn-cu13 of the environment DK_ONEDNN_ROOT, then in the usual places.
# Pin and licence: README.md beside this file.
file(GLOB CUDNN_WHEELS "${DK_ONEDNN_ROOT}/lib/python3*/site-packages/nvidia/cudnn/include")
find_path(CUDNN_INCLUDE cudnn_graph.h HINTS "${DK_CUDNN_ROOT}/include" "${DK_CUDNN_ROOT}" ${CUDNN_WHEELS})
if(CUDNN_INCLUDE AND EXISTS "${CUDNN_INCLUDE}/cudnn_version.h")
  file(STRINGS "${CUDNN_INCLUDE}/cudnn_version.h" CUDNN_VERSION_LINES REGEX "#define CUDNN_(MAJOR|MINOR|PATCHLEVEL) ")
  string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*PATCHLEVEL ([0-9]+).*" "\\1.\\2.\\3" CudnnHeaders_VERSION "${CUDNN_VERSION_LINES}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CudnnHeaders REQUIRED_VARS CUDNN_INCLUDE VERSION_VAR CudnnHeaders_VERSION HANDLE_VERSION_RANGE
  REASON_FAILURE_MESSAGE "install them with `pip install 'nvidia-cudnn-cu13~=9.19.0'`, or pass -DDK_CUDNN_ROOT=<where cudnn_graph.h is>")
if(CudnnHeaders_FOUND AND NOT TARGET cudnn::headers)
  add_library(cudnn::headers INTERFACE IMPORTED)
  set_target_properties(cudnn::headers PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${CUDNN_INCLUDE}")
endif()
mark_as_advanced(CUDNN_INCLUDE)
