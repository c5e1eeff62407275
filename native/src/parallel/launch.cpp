#include "parallel/launch.h"

#include <algorithm>
#include <cstdlib>

#include "core/door.h"
#include "core/status.h"
#include "parallel/mpi_library.h"

namespace dk {
namespace {

int number_in(const char* variable) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? 0 : std::atoi(text);
}

std::unique_ptr<Link> open_mpi(int launched) {
  Door door("libdarknet_mpi.so", "dk_mpi_door_version", DK_MPI_DOOR_VERSION,
            "this build has no MPI (it is built where MPI's headers are, e.g. Debian's libopenmpi-dev)");
  const auto open = door.look_up<decltype(&dk_mpi_open)>("dk_mpi_open");
  char words[512] = "";
  std::unique_ptr<Link> link(open == nullptr ? nullptr : open(words, sizeof words));
  if (link == nullptr) {
    fail(Status::device, "started as one of %d processes, but %s; without it start a single one, without mpirun or srun",
         launched, open == nullptr ? door.reason().c_str() : words);
  }
  if (link->place().size != launched) {
    fail(Status::device,
         "started as one of %d processes, but MPI sees %d: the launcher belongs to another MPI than the one this program was "
         "built with (srun may want --mpi=pmix)",
         launched, link->place().size);
  }
  return link;
}

}  // namespace

// Open MPI; PMI (MPICH, Intel MPI and others); Slurm, whose number is that of the step: a batch script alone has none.
int launched_processes() {
  int most = 1;
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) most = std::max(most, number_in(variable));
  if (most == 1 && std::getenv("SLURM_PROCID") != nullptr) most = std::max(most, number_in("SLURM_STEP_NUM_TASKS"));
  return most;
}

int launched_rank() {
  if (launched_processes() == 1) return 0;
  int rank = 0;
  for (const char* variable : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"}) rank = std::max(rank, number_in(variable));
  return rank;
}

std::unique_ptr<Communicator> join_launched() {
  const int launched = launched_processes();
  if (launched == 1) return make_alone();
  return make_communicator([launched] { return open_mpi(launched); });
}

}  // namespace dk
