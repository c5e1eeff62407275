# MPI's C interface, for trainings over several processes: target MPI::MPI_C. CMake's own module finds it; here its version is
# checked. Pin and licence: README.md beside this file.
find_package(MPI QUIET COMPONENTS C)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MpiC REQUIRED_VARS MPI_C_LIBRARIES MPI_C_FOUND VERSION_VAR MPI_C_VERSION
  REASON_FAILURE_MESSAGE "install MPI's headers, e.g. `apt-get install libopenmpi-dev openmpi-bin`")
