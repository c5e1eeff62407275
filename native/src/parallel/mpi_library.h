// The door of libdarknet_mpi.so (native/mpi): MPI as a Link, in a library of its own because the program must also run where no
// MPI is. Opened by parallel/launch.cpp when a launcher has started several processes.
#pragma once

#include <cstdint>

namespace dk {
class Link;
}

// Raised whenever parallel/link.h or this file changes in a way that old and new can't share.
#define DK_MPI_DOOR_VERSION 1

extern "C" {

int32_t dk_mpi_door_version();
// Starts MPI in the calling thread, once in a process. Null with a reason.
dk::Link* dk_mpi_open(char* reason, int64_t reason_size);
}
