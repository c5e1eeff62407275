# libjpeg-turbo, which decodes JPEG: target JPEG::JPEG. CMake's own module finds it; here it is checked that it is the turbo
# one, because scaled decoding and speed are relied upon. Pin and licence: README.md beside this file.
find_package(JPEG QUIET)
if(JPEG_FOUND)
  foreach(dir ${JPEG_INCLUDE_DIRS} ${JPEG_INCLUDE_DIRS}/${CMAKE_LIBRARY_ARCHITECTURE})
    if(EXISTS "${dir}/jconfig.h")
      file(STRINGS "${dir}/jconfig.h" JPEG_TURBO_LINE REGEX "#define[ \t]+LIBJPEG_TURBO_VERSION[ \t]")
      string(REGEX MATCH "[0-9]+\\.[0-9]+(\\.[0-9]+)?" LibJpegTurbo_VERSION "${JPEG_TURBO_LINE}")
    endif()
  endforeach()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibJpegTurbo REQUIRED_VARS JPEG_LIBRARIES JPEG_INCLUDE_DIRS LibJpegTurbo_VERSION
  VERSION_VAR LibJpegTurbo_VERSION
  REASON_FAILURE_MESSAGE "install libjpeg-turbo's headers, e.g. `apt-get install libjpeg-dev`")
