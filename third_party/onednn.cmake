# oneDNN (Apache-2.0): the convolutions of the CPU back end. Taken from the PyPI wheels onednn-cpu-gomp and
# onednn-devel-cpu-gomp (2023.2 = oneDNN 3.2, OpenMP by libgomp), found under DK_ONEDNN_ROOT.
find_path(ONEDNN_INCLUDE dnnl.hpp HINTS ${DK_ONEDNN_ROOT}/include REQUIRED)
find_library(ONEDNN_LIBRARY NAMES dnnl HINTS ${DK_ONEDNN_ROOT}/lib REQUIRED)
add_library(onednn::onednn UNKNOWN IMPORTED)
set_target_properties(onednn::onednn PROPERTIES IMPORTED_LOCATION ${ONEDNN_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${ONEDNN_INCLUDE})
