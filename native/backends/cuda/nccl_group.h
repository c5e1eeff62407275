// Several cards, one process each, that sum by NCCL.
#pragma once

#include <memory>

#include "backend/backend.h"
#include "cuda/context.h"

namespace dk::cuda {

DeviceGroupId new_nccl_group();
// Returns when all are there.
std::unique_ptr<DeviceGroup> join_nccl_group(const Context& context, const DeviceGroupId& id, int rank, int size);

}  // namespace dk::cuda
